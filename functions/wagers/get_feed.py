"""GET /v1/admin/feed: staff see the last readings of the affiliate feed, and the totals that have fallen."""

from goatedvips.clock import utc_now
from goatedvips.db import reading
from goatedvips.domain.wagers import feed_view
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.wagers import FeedView

api = HttpApi("staff")


@api.get("/v1/admin/feed")
def get_feed() -> FeedView:
    """A reading that is not whole is named with its problem."""
    with reading() as connection:
        return FeedView.model_validate(feed_view.get(connection, api.caller, now=utc_now()))


handler = lambda_handler(api)

"""POST /v1/admin/feed/acceptance: staff accept the lower total of an account, or a reading that lacks accounts."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.wagers import acceptance
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.wagers import FeedAcceptance, FeedAccepted

api = HttpApi("staff")


@api.post("/v1/admin/feed/acceptance")
def accept_feed(body: FeedAcceptance) -> FeedAccepted:
    """With `uid` and `total`: no score changes, and wagers count again from the lower total on.

    Without them: the newest reading counts as the complete list of accounts, although it lacks some.
    """
    with transaction() as connection:
        if body.uid is None or body.total is None:
            accepted = acceptance.accept_feed(connection, api.caller, body.reason, now=utc_now())
        else:
            accepted = acceptance.accept_fall(connection, api.caller, body.uid, body.total, body.reason, now=utc_now())
    return FeedAccepted.model_validate(accepted)


handler = lambda_handler(api)

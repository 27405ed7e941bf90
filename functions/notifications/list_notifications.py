"""GET /v1/me/notifications: a member's inbox, newest first."""

from goatedvips.clock import utc_now
from goatedvips.db import reading
from goatedvips.domain.notifications.notices import inbox
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.notifications import Inbox
from goatedvips.validators.pagination import Cursor, Limit

api = HttpApi("member")


@api.get("/v1/me/notifications")
def list_notifications(limit: Limit = 20, cursor: Cursor = None) -> Inbox:
    """It has what the member's switches leave on, whatever the channels, for one year."""
    with reading() as connection:
        return Inbox.model_validate(inbox.newest(connection, api.caller, limit=limit, cursor=cursor, now=utc_now()))


handler = lambda_handler(api)

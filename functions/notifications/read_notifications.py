"""POST /v1/me/notifications/read: a member has read notifications of their inbox."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.notifications.notices import inbox
from goatedvips.http import HttpApi, Response, lambda_handler
from goatedvips.validators.notifications import ReadRequest

api = HttpApi("member")


@api.post("/v1/me/notifications/read", status_code=204)
def read_notifications(body: ReadRequest) -> Response[None]:
    """Without `ids` all that are in the inbox are read. Ids of no notification of the member are ignored."""
    with transaction() as connection:
        inbox.mark_read(connection, api.caller, body.ids, now=utc_now())
    return Response(204)


handler = lambda_handler(api)

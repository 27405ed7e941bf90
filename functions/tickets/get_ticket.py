"""GET /v1/tickets/{id}: a ticket with its messages, for its owner and for staff."""

from goatedvips.clock import utc_now
from goatedvips.db import reading
from goatedvips.domain.tickets import tickets
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.pagination import Cursor, Limit
from goatedvips.validators.tickets import TicketWithMessages

api = HttpApi("member")


@api.get("/v1/tickets/<id>")
def get_ticket(id: PathId, limit: Limit = 20, cursor: Cursor = None) -> TicketWithMessages:  # noqa: A002
    """`limit` and `cursor` page through the messages, oldest first."""
    with reading() as connection:
        ticket = tickets.get(connection, api.caller, id, limit=limit, cursor=cursor, now=utc_now())
    return TicketWithMessages.model_validate(ticket)


handler = lambda_handler(api)

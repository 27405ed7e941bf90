"""GET /v1/tickets: a member's own tickets, newest first."""

from goatedvips.db import reading
from goatedvips.domain.tickets import tickets
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.pagination import Cursor, Limit, Page
from goatedvips.validators.tickets import Ticket

api = HttpApi("member")


@api.get("/v1/tickets")
def list_tickets(limit: Limit = 20, cursor: Cursor = None) -> Page[Ticket]:
    """Tickets of other members are not in the list, for staff either."""
    with reading() as connection:
        return Page[Ticket].model_validate(tickets.newest(connection, api.caller, limit=limit, cursor=cursor))


handler = lambda_handler(api)

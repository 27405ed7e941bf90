"""POST /v1/tickets: a member opens a support ticket."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.tickets import tickets
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.tickets import Ticket, TicketRequest

api = HttpApi("member")


@api.post("/v1/tickets", status_code=201)
def open_ticket(body: TicketRequest) -> Ticket:
    """The description is the first text of the ticket; messages follow it. Staff are notified by mail."""
    with transaction() as connection:
        opened = tickets.open_ticket(connection, api.caller, **body.model_dump(), now=utc_now())
    return Ticket.model_validate(opened)


handler = lambda_handler(api)

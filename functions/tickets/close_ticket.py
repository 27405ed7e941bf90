"""POST /v1/tickets/{id}/closure: the owner or staff close a ticket."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.tickets import changes
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.tickets import Ticket

api = HttpApi("member")


@api.post("/v1/tickets/<id>/closure")
def close_ticket(id: PathId) -> Ticket:  # noqa: A002
    """A ticket that is closed already stays as it is. The owner's reply within 14 days opens it again."""
    with transaction() as connection:
        closed = changes.close(connection, api.caller, id, now=utc_now())
    return Ticket.model_validate(closed)


handler = lambda_handler(api)

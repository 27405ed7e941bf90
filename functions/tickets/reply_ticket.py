"""POST /v1/tickets/{id}/messages: the owner or staff write a message on a ticket."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.tickets import messages
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.tickets import MessageRequest, TicketMessage

api = HttpApi("member")


@api.post("/v1/tickets/<id>/messages", status_code=201)
def reply_ticket(id: PathId, body: MessageRequest) -> TicketMessage:  # noqa: A002
    """The first staff reply takes an open ticket into progress. The owner's reply within 14 days reopens a closed one.

    An internal note reaches no member and changes nothing else.
    """
    with transaction() as connection:
        written = messages.reply(connection, api.caller, id, **body.model_dump(), now=utc_now())
    return TicketMessage.model_validate(written)


handler = lambda_handler(api)

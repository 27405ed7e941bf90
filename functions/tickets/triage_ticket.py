"""PATCH /v1/admin/tickets/{id}: staff set the status, the priority or the assignee of a ticket."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.tickets import changes
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.tickets import QueuedTicket, TriageRequest

api = HttpApi("staff")


@api.patch("/v1/admin/tickets/<id>")
def triage_ticket(id: PathId, body: TriageRequest) -> QueuedTicket:  # noqa: A002
    """The assignee must be staff. Members see neither the assignee nor when it changes."""
    with transaction() as connection:
        given = body.model_dump(exclude_unset=True)
        return QueuedTicket.model_validate(changes.triage(connection, api.caller, id, given, now=utc_now()))


handler = lambda_handler(api)

"""GET /v1/admin/tickets: staff list tickets, the longest wait first."""

from goatedvips.clock import utc_now
from goatedvips.db import reading
from goatedvips.domain.tickets import queue
from goatedvips.domain.tickets.queue import Filter
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.pagination import Cursor, Limit, Page
from goatedvips.validators.tickets import AssigneeFilter, PriorityFilter, QueuedTicket, StatusFilter, Words

api = HttpApi("staff")


@api.get("/v1/admin/tickets")
def list_ticket_queue(
    *,
    status: StatusFilter = None,
    priority: PriorityFilter = None,
    assignee: AssigneeFilter = None,
    q: Words = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[QueuedTicket]:
    """Tickets on which nobody waits for staff come last.

    A search finds the newest 1,000 tickets and the newest 1,000 messages that have its words.
    """
    wanted = Filter(status, priority, assignee, q)
    with reading() as connection:
        page = queue.longest_waiting(connection, api.caller, wanted, limit=limit, cursor=cursor, now=utc_now())
        return Page[QueuedTicket].model_validate(page)


handler = lambda_handler(api)

"""Tickets that staff answered and whose member has not written since: they are closed, with a note."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, insert, literal, null, select, true, update

from goatedvips.domain.access import NOW
from goatedvips.models.tickets import support_tickets, ticket_messages

QUIET_PERIOD = timedelta(days=7)
"""How long after the last staff reply a ticket is closed if the member does not write."""
BATCH = 200
NOTE = "We closed this ticket, because our last answer was 7 days ago. Reply within 14 days to open it again."

_stale = (
    select(support_tickets.c.id)
    .where(
        support_tickets.c.staff_replied_at.is_not(None),
        support_tickets.c.staff_replied_at <= bindparam("quiet_since", type_=support_tickets.c.created_at.type),
        support_tickets.c.status != "closed",
    )
    .order_by(support_tickets.c.staff_replied_at)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
    .cte("stale")
)
_close = (
    update(support_tickets)
    .where(support_tickets.c.id == _stale.c.id)
    .values(status="closed", updated_at=NOW)
    .returning(support_tickets.c.id)
    .cte("close_tickets")
)
_write_notes = (
    insert(ticket_messages)
    .from_select(
        ["ticket_id", "user_id", "message", "is_staff_reply", "created_at"],
        select(_close.c.id, null(), literal(NOTE), true(), NOW),
    )
    .returning(ticket_messages.c.id)
    .cte("notes")
)
_close_stale = select(func.count()).select_from(_write_notes).execution_options(commit_in_flight=True)


def close_stale(connection: Connection, *, now: datetime) -> int:
    """Close a batch of tickets and return their number; fewer than `BATCH` if no more are left, or others hold them.

    Internal notes and changes of status, priority and assignee do not prolong the period.
    """
    return connection.execute(_close_stale, {"now": now, "quiet_since": now - QUIET_PERIOD}).scalar_one()

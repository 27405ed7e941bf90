"""Support tickets: opened by members, read by their owner and by staff."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import BigInteger, Connection, and_, bindparam, case, exists, func, insert, literal, or_, select, true

from goatedvips.domain import access, pagination
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.errors import NotFound
from goatedvips.models.accounts import users
from goatedvips.models.notifications import outbox
from goatedvips.models.tickets import support_tickets, ticket_messages


@dataclass(frozen=True, slots=True)
class Message:
    """What was written on a ticket after its description."""

    id: int
    author: str | None
    is_staff_reply: bool
    internal: bool
    message: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket; of what was written on it a page at most."""

    id: int
    user_id: int | None
    subject: str
    description: str
    status: str
    priority: str
    created_at: datetime
    updated_at: datetime
    messages: pagination.Page[Message] | None = None


_TICKET = (
    support_tickets.c.id,
    support_tickets.c.user_id,
    support_tickets.c.subject,
    support_tickets.c.description,
    support_tickets.c.status,
    support_tickets.c.priority,
    support_tickets.c.created_at,
    support_tickets.c.updated_at,
)
_member = access.member()
_opened = (
    insert(support_tickets)
    .from_select(
        ["user_id", "subject", "description", "status", "priority", "created_at", "updated_at"],
        select(
            _member.c.id,
            bindparam("subject", type_=support_tickets.c.subject.type),
            bindparam("description", type_=support_tickets.c.description.type),
            literal("open"),
            bindparam("priority", type_=support_tickets.c.priority.type),
            NOW,
            NOW,
        ),
    )
    .returning(*_TICKET)
    .cte("opened")
)
_staff_told = (
    insert(outbox)
    .from_select(
        ["kind", "payload", "created_at", "due_at"],
        select(literal("ticket_opened"), func.jsonb_build_object("ticket_id", _opened.c.id), NOW, NOW),
    )
    .cte("staff_told")
)
_opening = select(_opened).add_cte(_staff_told).execution_options(commit_in_flight=True)


def open_ticket(
    connection: Connection, caller: Caller, *, subject: str, description: str, priority: str, now: datetime
) -> Ticket:
    """Open a ticket; the mail that tells staff of it commits with it.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    text = {"subject": subject, "description": description, "priority": priority}
    opened = connection.execute(_opening, caller.parameters(now) | text).one_or_none()
    if opened is None:
        access.refuse(connection, caller, now=now)
    return Ticket(*opened)


_own = (
    select(*_TICKET)
    .where(support_tickets.c.user_id == CALLER_ID, support_tickets.c.id < bindparam("before", type_=BigInteger))
    .order_by(support_tickets.c.id.desc())
    .limit(bindparam("rows"))
)


def own(connection: Connection, caller: Caller, *, limit: int, cursor: str | None) -> pagination.Page[Ticket]:
    """The member's tickets, newest first.

    Raises
    ------
    ValidationFailed: no page gave this cursor.
    """
    (before,) = pagination.position(cursor, 2**31)
    rows = connection.execute(_own, {"caller_id": caller.user_id, "before": before, "rows": limit + 1})
    return pagination.page([Ticket(*row) for row in rows], limit, lambda ticket: (ticket.id,))


_by_staff = exists(select(access.staff().c.id))
_messages = (
    select(
        ticket_messages.c.id.label("message_id"),
        # Which of the staff replied is for staff alone.
        case((and_(ticket_messages.c.is_staff_reply, ~_by_staff), None), else_=users.c.username).label("author"),
        ticket_messages.c.is_staff_reply,
        ticket_messages.c.is_internal,
        ticket_messages.c.message,
        ticket_messages.c.created_at.label("written_at"),
    )
    .outerjoin(users, users.c.id == ticket_messages.c.user_id)
    .where(
        ticket_messages.c.ticket_id == support_tickets.c.id,
        ticket_messages.c.id > bindparam("after", type_=BigInteger),
        or_(~ticket_messages.c.is_internal, _by_staff),
    )
    .order_by(ticket_messages.c.id)
    .limit(bindparam("rows"))
    .lateral("messages")
)
_ticket = (
    select(*_TICKET, *_messages.c)
    .outerjoin(_messages, true())
    .where(support_tickets.c.id == bindparam("ticket_id"), or_(support_tickets.c.user_id == CALLER_ID, _by_staff))
    .order_by(_messages.c.message_id)
)


def get(
    connection: Connection, caller: Caller, ticket_id: int, *, limit: int, cursor: str | None, now: datetime
) -> Ticket:
    """A ticket with a page of its messages, oldest first; internal ones for staff alone, as the database knows them.

    Raises
    ------
    NotFound: or someone else's.
    ValidationFailed: no page gave this cursor.
    """
    (after,) = pagination.position(cursor, 0)
    parameters = caller.parameters(now) | {"ticket_id": ticket_id, "after": after, "rows": limit + 1}
    rows = connection.execute(_ticket, parameters).all()
    if not rows:
        raise NotFound
    size = len(_TICKET)
    written = [Message(*row[size:]) for row in rows if row.message_id is not None]
    page = pagination.page(written, limit, lambda message: (message.id,))
    return replace(Ticket(*rows[0][:size]), messages=page)

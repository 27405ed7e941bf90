"""Support tickets: opened by members, read by their owner and by staff."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
)

from goatedvips.domain import access, pagination
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.domain.notifications.outbox import queued
from goatedvips.domain.pagination import Keyset
from goatedvips.errors import NotFound
from goatedvips.models.accounts import users
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
_opening = (
    select(_opened)
    .add_cte(*queued("ticket_opened", select(func.jsonb_build_object("ticket_id", _opened.c.id).label("payload"))))
    .execution_options(commit_in_flight=True)
)


def open_ticket(
    connection: Connection, caller: Caller, *, subject: str, description: str, priority: str, now: datetime
) -> Ticket:
    """Open a ticket; the mail that tells staff of it commits with it.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    text = {"subject": subject, "description": description, "priority": priority}
    opened = access.one(connection, _opening, caller, text, now=now)
    return Ticket(*opened)


_NEWEST_FIRST = Keyset(support_tickets.c.id)
_own = _NEWEST_FIRST.page_of(select(*_TICKET).where(support_tickets.c.user_id == CALLER_ID))


def own(connection: Connection, caller: Caller, *, limit: int, cursor: str | None) -> pagination.Page[Ticket]:
    """The member's tickets, newest first.

    Raises
    ------
    ValidationFailed: no page gave this cursor.
    """
    return pagination.newest(
        connection,
        _own,
        {"caller_id": caller.user_id},
        lambda row: Ticket(**row._mapping),
        by=_NEWEST_FIRST,
        limit=limit,
        cursor=cursor,
    )


_by_staff = exists(select(access.staff().c.id))
_OLDEST_MESSAGE_FIRST = Keyset(ticket_messages.c.id, ascending=True, names=("message_id",))
_messages = _OLDEST_MESSAGE_FIRST.page_of(
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
        or_(~ticket_messages.c.is_internal, _by_staff),
    )
).lateral("messages")
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
    parameters = caller.parameters(now) | {"ticket_id": ticket_id}
    rows = connection.execute(_ticket, parameters | _OLDEST_MESSAGE_FIRST.parameters(limit, cursor)).all()
    if not rows:
        raise NotFound
    ticket = Ticket(**{column.key: rows[0]._mapping[column.key] for column in _TICKET})
    page, next_cursor = _OLDEST_MESSAGE_FIRST.cut([row for row in rows if row.message_id is not None], limit)
    return replace(ticket, messages=pagination.Page([_message(row) for row in page], next_cursor))


def _message(row: Row[Any]) -> Message:
    return Message(
        id=row.message_id,
        author=row.author,
        is_staff_reply=row.is_staff_reply,
        internal=row.is_internal,
        message=row.message,
        created_at=row.written_at,
    )

"""Support tickets: a member opens a ticket; its owner and staff read it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Interval,
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
    type_coerce,
)

from goatedvips.domain import access, attempts, pagination
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.domain.notifications.outbox import queued
from goatedvips.domain.pagination import Keyset
from goatedvips.domain.throttled import too_many
from goatedvips.errors import NotFound
from goatedvips.models.accounts import users
from goatedvips.models.tickets import support_tickets, ticket_messages


@dataclass(frozen=True, slots=True)
class Message:
    """A message on a ticket.

    Parameters
    ----------
    author: a username; None: a staff reply, for members; or the author is unknown.
    internal: a note that only staff see.
    """

    id: int
    author: str | None
    is_staff_reply: bool
    internal: bool
    message: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket.

    Parameters
    ----------
    user_id: the owner; None: unknown, of an adopted ticket.
    messages: a page of its messages; None in lists.
    """

    id: int
    user_id: int | None
    subject: str
    description: str
    status: str
    priority: str
    created_at: datetime
    updated_at: datetime
    messages: pagination.Page[Message] | None = None


TICKETS_AN_HOUR = 20
_HOUR = timedelta(hours=1)

TICKET_COLUMNS = (
    support_tickets.c.id,
    support_tickets.c.user_id,
    support_tickets.c.subject,
    support_tickets.c.description,
    support_tickets.c.status,
    support_tickets.c.priority,
    support_tickets.c.created_at,
    support_tickets.c.updated_at,
)
"""The columns of `Ticket`."""
TICKET_ID = bindparam("ticket_id", type_=support_tickets.c.id.type)
_member = access.member()
_opens_at = (
    select(type_coerce(support_tickets.c.created_at + literal(_HOUR, Interval()), support_tickets.c.created_at.type))
    .where(support_tickets.c.user_id == CALLER_ID, attempts.is_within(_HOUR, support_tickets.c.created_at))
    .order_by(support_tickets.c.created_at.desc())
    .offset(TICKETS_AN_HOUR - 1)
    .limit(1)
    .scalar_subquery()
)
_throttle = select(_member.c.id.label("user_id"), _opens_at.label("opens_at")).cte("throttle")
_insert_ticket = (
    insert(support_tickets)
    .from_select(
        ["user_id", "subject", "description", "status", "priority", "created_at", "updated_at"],
        select(
            _throttle.c.user_id,
            bindparam("subject", type_=support_tickets.c.subject.type),
            bindparam("description", type_=support_tickets.c.description.type),
            literal("open"),
            bindparam("priority", type_=support_tickets.c.priority.type),
            NOW,
            NOW,
        ).where(_throttle.c.opens_at.is_(None)),
    )
    .returning(*TICKET_COLUMNS)
    .cte("ticket")
)
_mail = select(func.jsonb_build_object("ticket_id", _insert_ticket.c.id).label("payload"))
_open_ticket = (
    select(_insert_ticket, _throttle.c.opens_at)
    .select_from(_throttle.outerjoin(_insert_ticket, true()))
    .add_cte(*queued("ticket_opened", _mail))
    .execution_options(commit_in_flight=True)
)


def open_ticket(
    connection: Connection, caller: Caller, *, subject: str, description: str, priority: str, now: datetime
) -> Ticket:
    """Open a ticket. The mail that reports it to staff commits with it.

    Raises
    ------
    TooManyAttempts: the member has opened 20 tickets within an hour.
    Unauthenticated, AccountSuspended
    """
    # The lock is a statement of its own, because the next one counts what was committed before it began.
    connection.execute(select(attempts.ATTEMPT_LOCK), {"lock_name": f"ticket:{caller.user_id}"})
    text = {"subject": subject, "description": description, "priority": priority}
    row = access.one(connection, _open_ticket, caller, text, now=now)
    if row.opens_at is not None:
        raise too_many(row.opens_at, now=now)
    return make_ticket(row)


_NEWEST_FIRST = Keyset(support_tickets.c.id)
_select_tickets = _NEWEST_FIRST.page_of(select(*TICKET_COLUMNS).where(support_tickets.c.user_id == CALLER_ID))


def newest(connection: Connection, caller: Caller, *, limit: int, cursor: str | None) -> pagination.Page[Ticket]:
    """A page of the member's tickets, newest first.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    """
    return pagination.newest(
        connection,
        _select_tickets,
        {"caller_id": caller.user_id},
        make_ticket,
        by=_NEWEST_FIRST,
        limit=limit,
        cursor=cursor,
    )


_CALLER_IS_STAFF = exists(select(access.staff().c.id))
_OLDEST_MESSAGE_FIRST = Keyset(ticket_messages.c.id, ascending=True, names=("message_id",))
_messages = _OLDEST_MESSAGE_FIRST.page_of(
    select(
        ticket_messages.c.id.label("message_id"),
        # Members do not see which of the staff replied.
        case((and_(ticket_messages.c.is_staff_reply, ~_CALLER_IS_STAFF), None), else_=users.c.username).label("author"),
        ticket_messages.c.is_staff_reply,
        ticket_messages.c.is_internal,
        ticket_messages.c.message,
        ticket_messages.c.created_at.label("written_at"),
    )
    .outerjoin(users, users.c.id == ticket_messages.c.user_id)
    .where(
        ticket_messages.c.ticket_id == support_tickets.c.id,
        or_(~ticket_messages.c.is_internal, _CALLER_IS_STAFF),
    )
).lateral("messages")
_select_ticket = (
    select(*TICKET_COLUMNS, *_messages.c)
    .outerjoin(_messages, true())
    .where(support_tickets.c.id == TICKET_ID, or_(support_tickets.c.user_id == CALLER_ID, _CALLER_IS_STAFF))
    .order_by(_messages.c.message_id)
)


def get(
    connection: Connection, caller: Caller, ticket_id: int, *, limit: int, cursor: str | None, now: datetime
) -> Ticket:
    """A ticket with a page of its messages, oldest first. Members do not get internal ones.

    Raises
    ------
    NotFound: there is no such ticket, or it belongs to another member.
    ValidationFailed: the cursor is not one of this list.
    """
    parameters = caller.parameters(now) | {"ticket_id": ticket_id}
    rows = connection.execute(_select_ticket, parameters | _OLDEST_MESSAGE_FIRST.parameters(limit, cursor)).all()
    if not rows:
        raise NotFound
    page, next_cursor = _OLDEST_MESSAGE_FIRST.cut([row for row in rows if row.message_id is not None], limit)
    return replace(make_ticket(rows[0]), messages=pagination.Page([make_message(row) for row in page], next_cursor))


def make_ticket(row: Row[Any]) -> Ticket:
    """Make a ticket of a row with `TICKET_COLUMNS`."""
    return Ticket(**{column.key: row._mapping[column.key] for column in TICKET_COLUMNS})


def make_message(row: Row[Any]) -> Message:
    """Make a message of a row with its columns; its id is `message_id`, and its time `written_at`."""
    return Message(
        id=row.message_id,
        author=row.author,
        is_staff_reply=row.is_staff_reply,
        internal=row.is_internal,
        message=row.message,
        created_at=row.written_at,
    )

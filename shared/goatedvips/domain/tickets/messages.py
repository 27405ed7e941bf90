"""Messages on tickets: replies of the owner and of staff, and the internal notes that only staff see."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Interval,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    type_coerce,
    update,
)

from goatedvips.domain import access
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.notifications.outbox import queued
from goatedvips.domain.tickets.tickets import TICKET_ID, Message, make_message
from goatedvips.errors import Forbidden, NotFound, TicketClosed, TicketMoved
from goatedvips.models.accounts import users
from goatedvips.models.tickets import support_tickets, ticket_messages

REOPENING_PERIOD = timedelta(days=14)
"""How long after its closure a member's reply opens a ticket again."""

_INTERNAL = bindparam("internal", type_=Boolean)
_AFTER = bindparam("after", type_=ticket_messages.c.id.type)
_caller = access.member()
_self = users.alias("caller_account")
_is_staff = exists().where(_self.c.id == _caller.c.id, _self.c.is_admin)
_is_theirs = support_tickets.c.user_id == _caller.c.id
_owner = (
    select(users.c.id)
    .join(support_tickets, support_tickets.c.user_id == users.c.id)
    .where(support_tickets.c.id == TICKET_ID)
    .with_for_update(of=users, read=True, key_share=True)
    .cte("owner")
)
# A statement of its own, because the next one looks for messages that were committed before it began. It locks the
# caller and the owner, and then the ticket: in the order in which an erasure locks them.
_lock_ticket = (
    select(support_tickets.c.id, _is_staff.label("is_staff"))
    .select_from(_caller)
    .join(support_tickets, support_tickets.c.id == TICKET_ID)
    .where(or_(_is_theirs, _is_staff), or_(support_tickets.c.user_id.is_(None), exists(select(_owner.c.id))))
    .with_for_update(of=support_tickets)
)
_closed_at = func.coalesce(support_tickets.c.closed_at, support_tickets.c.updated_at)
_reopens_until = type_coerce(_closed_at + literal(REOPENING_PERIOD, Interval()), support_tickets.c.created_at.type)
_by_staff = support_tickets.c.user_id.is_distinct_from(_caller.c.id)
_ticket = (
    select(
        support_tickets.c.id,
        support_tickets.c.user_id,
        support_tickets.c.subject,
        support_tickets.c.status,
        _caller.c.id.label("caller_id"),
        _is_staff.label("is_staff"),
        _by_staff.label("by_staff"),
        and_(~_by_staff, support_tickets.c.status == "closed", _reopens_until <= NOW).label("stays_closed"),
    )
    .select_from(_caller)
    .join(support_tickets, support_tickets.c.id == TICKET_ID)
    .where(or_(_is_theirs, _is_staff))
    .cte("ticket")
)
_newer = (
    select(
        ticket_messages.c.id,
        ticket_messages.c.is_staff_reply,
        ticket_messages.c.message,
        ticket_messages.c.created_at,
    )
    .join(_ticket, ticket_messages.c.ticket_id == _ticket.c.id)
    .where(ticket_messages.c.id > _AFTER, or_(~ticket_messages.c.is_internal, _ticket.c.is_staff))
    .order_by(ticket_messages.c.id)
    .limit(1)
    .cte("newer")
)
_insert_message = (
    insert(ticket_messages)
    .from_select(
        ["ticket_id", "user_id", "message", "is_staff_reply", "is_internal", "created_at"],
        select(
            _ticket.c.id,
            _ticket.c.caller_id,
            bindparam("text", type_=ticket_messages.c.message.type),
            _ticket.c.by_staff,
            _INTERNAL,
            NOW,
        ).where(~_ticket.c.stays_closed, ~exists(select(_newer.c.id)), or_(~_INTERNAL, _ticket.c.is_staff)),
    )
    .returning(*ticket_messages.c)
    .cte("message")
)
_update_ticket = (
    update(support_tickets)
    .where(support_tickets.c.id == _insert_message.c.ticket_id, ~_insert_message.c.is_internal)
    .values(
        status=case(
            (and_(_insert_message.c.is_staff_reply, support_tickets.c.status == "open"), "in_progress"),
            (and_(~_insert_message.c.is_staff_reply, support_tickets.c.status == "closed"), "open"),
            else_=support_tickets.c.status,
        ),
        updated_at=NOW,
    )
    .cte("update_ticket")
)
_is_public = ~_insert_message.c.is_internal
_mail_to_staff = (
    select(func.jsonb_build_object("ticket_id", _ticket.c.id).label("payload"))
    .join(_insert_message, _insert_message.c.ticket_id == _ticket.c.id)
    .where(_is_public, ~_ticket.c.by_staff, _ticket.c.status == "closed")
)
_mail_to_member = (
    select(
        users.c.id.label("user_id"),
        users.c.email,
        func.jsonb_build_object(
            "message_id", _insert_message.c.id, "ticket_id", _ticket.c.id, "subject", _ticket.c.subject
        ).label("payload"),
    )
    .join(_ticket, users.c.id == _ticket.c.user_id)
    .join(_insert_message, _insert_message.c.ticket_id == _ticket.c.id)
    .where(_is_public, _ticket.c.by_staff, users.c.erased_at.is_(None))
)
_author = select(users.c.username).where(users.c.id == _insert_message.c.user_id).scalar_subquery()
_write_message: Select[Any] = (
    select(
        _ticket.c.stays_closed,
        _insert_message.c.id.label("message_id"),
        case((and_(_insert_message.c.is_staff_reply, ~_ticket.c.is_staff), null()), else_=_author).label("author"),
        _insert_message.c.is_staff_reply,
        _insert_message.c.is_internal,
        _insert_message.c.message,
        _insert_message.c.created_at.label("written_at"),
        *(column.label(f"newer_{column.key}") for column in _newer.c),
    )
    .select_from(_ticket.outerjoin(_insert_message, true()).outerjoin(_newer, true()))
    .add_cte(_update_ticket, *queued("ticket_opened", _mail_to_staff), *queued("ticket_reply", _mail_to_member))
    .execution_options(commit_in_flight=True)
)


def reply(
    connection: Connection,
    caller: Caller,
    ticket_id: int,
    *,
    message: str,
    internal: bool,
    after: int | None,
    now: datetime,
) -> Message:
    """Write a message on a ticket, as its owner or as staff.

    The first public staff reply takes an open ticket into progress. The owner's reply opens a closed ticket again.

    Parameters
    ----------
    internal: a note that only staff see; it changes nothing else.
    after: the id of the last message that the caller has seen, 0 for none; None: they do not say.

    Raises
    ------
    NotFound: there is no such ticket, or it belongs to another member.
    Forbidden: the note is internal, and the caller is not staff.
    TicketMoved: there is a message after the one that the caller has seen last.
    TicketClosed: the ticket was closed 14 days ago or earlier, and its owner replies.
    Unauthenticated, AccountSuspended
    """
    parameters = {"ticket_id": ticket_id, "text": message, "internal": internal, "after": after}
    locked = access.one_or_none(connection, _lock_ticket, caller, parameters, now=now)
    if locked is None:
        raise NotFound
    if internal and not locked.is_staff:
        raise Forbidden
    row = access.one(connection, _write_message, caller, parameters, now=now)
    if row.message_id is not None:
        return make_message(row)
    if row.newer_id is not None:
        raise TicketMoved(
            newer_message={
                "id": row.newer_id,
                "is_staff_reply": row.newer_is_staff_reply,
                "message": row.newer_message,
                "created_at": row.newer_created_at,
            }
        )
    raise TicketClosed

"""Changes of a ticket that write no message: its owner or staff close it, staff set status, priority and assignee."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Select,
    Text,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)

from goatedvips.domain import access, audit
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.tickets.queue import QueuedTicket, make_queued_ticket, select_queued
from goatedvips.domain.tickets.tickets import TICKET_COLUMNS, TICKET_ID, Ticket, make_ticket
from goatedvips.errors import NotFound, ValidationFailed
from goatedvips.models.accounts import users
from goatedvips.models.tickets import support_tickets

_caller = access.member()
_self = users.alias("caller_account")
_is_theirs = support_tickets.c.user_id == _caller.c.id
_is_staff = exists().where(_self.c.id == _caller.c.id, _self.c.is_admin)
_open = (
    select(support_tickets.c.id, support_tickets.c.status, _is_theirs.is_not(True).label("by_staff"))
    .select_from(_caller)
    .join(support_tickets, support_tickets.c.id == TICKET_ID)
    .where(or_(_is_theirs, _is_staff), support_tickets.c.status != "closed")
    .with_for_update(of=support_tickets)
    .cte("open_ticket")
)
_close = (
    update(support_tickets)
    .where(support_tickets.c.id == _open.c.id)
    .values(status="closed", updated_at=NOW)
    .returning(support_tickets.c.id, support_tickets.c.status, _open.c.by_staff)
    .cte("close_ticket")
)
_closed_by_staff = select(_close.c.id, _close.c.status).where(_close.c.by_staff).cte("closed_by_staff")
_before_closing = select(_open.c.id, _open.c.status).cte("before_closing")
_after_closing: dict[str, Any] = {
    "status": literal("closed").label("status"),
    "updated_at": func.coalesce(
        select(NOW).where(exists(select(_close.c.id))).scalar_subquery(), support_tickets.c.updated_at
    ).label("updated_at"),
}
_close_ticket = (
    select(*(_after_closing.get(column.key, column) for column in TICKET_COLUMNS))
    .select_from(_caller)
    .join(support_tickets, support_tickets.c.id == TICKET_ID)
    .where(or_(_is_theirs, _is_staff))
    .add_cte(audit.recorded("close_ticket", _closed_by_staff, _before_closing))
    .execution_options(commit_in_flight=True)
)


def close(connection: Connection, caller: Caller, ticket_id: int, *, now: datetime) -> Ticket:
    """Close a ticket, as its owner or as staff. One that is closed stays as it is.

    Raises
    ------
    NotFound: there is no such ticket, or it belongs to another member.
    Unauthenticated, AccountSuspended
    """
    row = access.one_or_none(connection, _close_ticket, caller, {"ticket_id": ticket_id}, now=now)
    if row is None:
        raise NotFound
    return make_ticket(row)


_GIVES_ASSIGNEE = bindparam("gives_assignee", type_=Boolean)
_NEW_ASSIGNEE = bindparam("new_assignee", type_=support_tickets.c.assignee_id.type)
_assignee = (
    select(users.c.id)
    .where(users.c.id == _NEW_ASSIGNEE, users.c.is_admin, users.c.suspended_at.is_(None), users.c.erased_at.is_(None))
    .with_for_update(read=True, key_share=True)
    .cte("assignee")
)
_may_assign = or_(~_GIVES_ASSIGNEE, _NEW_ASSIGNEE.is_(None), exists(select(_assignee.c.id)))
_TRIAGED = (support_tickets.c.status, support_tickets.c.priority, support_tickets.c.assignee_id)
_before = (
    select(support_tickets.c.id, *_TRIAGED)
    .where(exists(select(access.staff().c.id)), support_tickets.c.id == TICKET_ID, _may_assign)
    .with_for_update()
    .cte("before")
)
_after = select(
    _before.c.id,
    func.coalesce(bindparam("new_status", type_=Text), _before.c.status).label("status"),
    func.coalesce(bindparam("new_priority", type_=Text), _before.c.priority).label("priority"),
    case((_GIVES_ASSIGNEE, _NEW_ASSIGNEE), else_=_before.c.assignee_id).label("assignee_id"),
).cte("after")
# Members see the time, but not the assignee.
_member_sees_it = or_(_after.c.status != support_tickets.c.status, _after.c.priority != support_tickets.c.priority)
_triage = (
    update(support_tickets)
    .where(
        support_tickets.c.id == _after.c.id,
        or_(_member_sees_it, _after.c.assignee_id.is_distinct_from(support_tickets.c.assignee_id)),
    )
    .values(
        status=_after.c.status,
        priority=_after.c.priority,
        assignee_id=_after.c.assignee_id,
        updated_at=case((_member_sees_it, NOW), else_=support_tickets.c.updated_at),
    )
    .returning(support_tickets.c.id, *_TRIAGED)
    .cte("triage")
)
_triage_ticket: Select[Any] = select(_before.c.id).add_cte(audit.recorded("triage_ticket", _triage, _before))
# After the change, because a trigger writes `waiting_since`.
_select_triaged = select_queued.where(support_tickets.c.id == TICKET_ID).execution_options(commit_in_flight=True)
_ticket_exists = select(exists().where(support_tickets.c.id == TICKET_ID))


def triage(
    connection: Connection, caller: Caller, ticket_id: int, given: Mapping[str, object], *, now: datetime
) -> QueuedTicket:
    """Change the status, the priority or the assignee of a ticket.

    Parameters
    ----------
    given: `status`, `priority`, `assignee_id`; absent ones do not change. An assignee of None: nobody.

    Raises
    ------
    NotFound: there is no such ticket.
    ValidationFailed: the assignee is not staff.
    Unauthenticated, AccountSuspended, Forbidden
    """
    parameters = {
        "ticket_id": ticket_id,
        "new_status": given.get("status"),
        "new_priority": given.get("priority"),
        "gives_assignee": "assignee_id" in given,
        "new_assignee": given.get("assignee_id"),
    }
    if access.one_or_none(connection, _triage_ticket, caller, parameters, now=now, staff=True) is None:
        if connection.execute(_ticket_exists, parameters).scalar_one():
            raise ValidationFailed(errors=[{"pointer": "/assignee_id", "detail": "must be the id of a staff member"}])
        raise NotFound
    return make_queued_ticket(connection.execute(_select_triaged, parameters).one())

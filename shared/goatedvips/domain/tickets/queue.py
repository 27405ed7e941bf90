"""The queue of tickets for staff: those on which a member has waited longest come first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    Text,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    union,
)

from goatedvips.domain import access, pagination
from goatedvips.domain.access import Caller
from goatedvips.domain.pagination import Keyset
from goatedvips.domain.tickets.tickets import TICKET_COLUMNS, Ticket
from goatedvips.models.accounts import users
from goatedvips.models.schema import Instant
from goatedvips.models.tickets import MESSAGE_WORDS, QUEUE_POSITION, TICKET_WORDS, support_tickets, ticket_messages

MOST_MATCHES = 1000
"""How many tickets, and how many messages, a search looks at: the newest that have the words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedTicket(Ticket):
    """A ticket as staff see it.

    Parameters
    ----------
    username: its owner's; None: unknown.
    assignee: the username of who takes care of it; None: nobody.
    waiting_since: when the member wrote what staff have not answered; None: nobody waits.
    """

    username: str | None
    assignee_id: int | None
    assignee: str | None
    waiting_since: datetime | None


@dataclass(frozen=True, slots=True)
class Filter:
    """The conditions of the queue; None: no condition.

    Parameters
    ----------
    status: None: tickets that are not closed; with `q`, all.
    assignee: a user id; 0: tickets that nobody takes care of.
    q: words of the ticket or of its messages, as in a web search; or the owner's username.
    """

    status: str | None = None
    priority: str | None = None
    assignee: int | None = None
    q: str | None = None


_assignees = users.alias("assignees")
QUEUE_COLUMNS = (
    *TICKET_COLUMNS,
    users.c.username,
    support_tickets.c.assignee_id,
    _assignees.c.username.label("assignee"),
    support_tickets.c.waiting_since,
)
select_queued: Select[Any] = (
    select(*QUEUE_COLUMNS)
    .select_from(support_tickets)
    .outerjoin(users, users.c.id == support_tickets.c.user_id)
    .outerjoin(_assignees, _assignees.c.id == support_tickets.c.assignee_id)
)
"""Tickets with the columns of `QueuedTicket`."""

_POSITION: ColumnElement[datetime] = literal_column(QUEUE_POSITION, Instant())
_LONGEST_WAIT_FIRST = Keyset(_POSITION, support_tickets.c.id, ascending=True, names=("position", "id"))
_STATUS = bindparam("status", type_=Text)
_PRIORITY = bindparam("priority", type_=Text)
_ASSIGNEE = bindparam("assignee", type_=Integer)
_select_queue = select_queued.add_columns(_POSITION.label("position")).where(
    exists(select(access.staff().c.id)),
    or_(_PRIORITY.is_(None), support_tickets.c.priority == _PRIORITY),
    or_(_ASSIGNEE.is_(None), func.coalesce(support_tickets.c.assignee_id, literal_column("0")) == _ASSIGNEE),
)
_select_open = _LONGEST_WAIT_FIRST.page_of(_select_queue.where(support_tickets.c.status != literal_column("'closed'")))
_select_by_status = _LONGEST_WAIT_FIRST.page_of(_select_queue.where(support_tickets.c.status == _STATUS))
_query = func.websearch_to_tsquery(literal_column("'simple'"), bindparam("q", type_=Text))
_with_words = (
    select(support_tickets.c.id)
    .where(literal_column(TICKET_WORDS).op("@@")(_query))
    .order_by(support_tickets.c.id.desc())
    .limit(MOST_MATCHES)
)
_with_words_in_messages = (
    select(ticket_messages.c.ticket_id)
    .where(literal_column(MESSAGE_WORDS).op("@@")(_query))
    .order_by(ticket_messages.c.id.desc())
    .limit(MOST_MATCHES)
)
_of_user = (
    select(support_tickets.c.id)
    .join(users, users.c.id == support_tickets.c.user_id)
    .where(users.c.username_key == func.lower(bindparam("q", type_=Text)))
)
_found = union(
    select(_with_words.subquery().c.id), select(_with_words_in_messages.subquery().c.ticket_id), _of_user
).subquery("found")
_select_found = _LONGEST_WAIT_FIRST.page_of(
    _select_queue.where(
        # = ANY (array) instead of IN (subquery): PostgreSQL would read all tickets for the join of so many.
        support_tickets.c.id == func.any(func.array(select(_found.c[0]).scalar_subquery())),
        or_(_STATUS.is_(None), support_tickets.c.status == _STATUS),
    )
)


def longest_waiting(
    connection: Connection, caller: Caller, wanted: Filter, *, limit: int, cursor: str | None, now: datetime
) -> pagination.Page[QueuedTicket]:
    """Return a page of the queue: the longest wait first, then the tickets on which nobody waits.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    Unauthenticated, AccountSuspended, Forbidden
    """
    statement = _select_open if wanted.status is None else _select_by_status
    return pagination.newest(
        connection,
        statement if wanted.q is None else _select_found,
        caller.parameters(now)
        | {"status": wanted.status, "priority": wanted.priority, "assignee": wanted.assignee, "q": wanted.q},
        make_queued_ticket,
        by=_LONGEST_WAIT_FIRST,
        limit=limit,
        cursor=cursor,
        refuse=lambda: access.explain(connection, caller, now=now, staff=True),
    )


def make_queued_ticket(row: Row[Any]) -> QueuedTicket:
    """Make a ticket of a row with `QUEUE_COLUMNS`."""
    return QueuedTicket(**{column.key: row._mapping[column.key] for column in QUEUE_COLUMNS})

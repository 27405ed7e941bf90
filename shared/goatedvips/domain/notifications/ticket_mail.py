"""The staff's mail about new and reopened tickets: at most one a minute, for all that wait to be reported."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, func, literal, null, or_, select, update

from goatedvips.domain.access import NOW
from goatedvips.domain.notifications.deciding import Defer
from goatedvips.domain.notifications.kinds import KINDS
from goatedvips.domain.notifications.outbox import WAITING
from goatedvips.domain.notifications.sending import CLOCK_SKEW, Mail
from goatedvips.models.accounts import users
from goatedvips.models.notifications import outbox, sender_state
from goatedvips.models.tickets import support_tickets

INTERVAL = timedelta(minutes=1)  # between two mails
MOST_ROWS = 1000  # of the outbox that one mail takes along


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket as it is reported to staff."""

    id: int
    subject: str
    priority: str
    description: str
    user_id: int | None
    username: str | None
    email: str | None
    """The member's verified e-mail address, to which staff may reply; null if no mail reaches it, as in some adopted
    rows: SES would refuse the whole mail."""
    is_reopened: bool = False
    """Whether it was closed before."""


_KIND = KINDS["ticket_opened"]
_MAIL_ID = bindparam("mail_id", type_=outbox.c.id.type)

# Compare-and-set of the time of the last mail, so of two runs at once only one gets the turn. A time in the future is
# another clock's; by more than CLOCK_SKEW it is wrong and does not count.
_mailed_at = sender_state.c.staff_mailed_at
_take_turn = (
    update(sender_state)
    .where(
        or_(
            _mailed_at.is_(None),
            _mailed_at <= bindparam("quiet_since", type_=_mailed_at.type),
            _mailed_at > bindparam("latest_now", type_=_mailed_at.type),
        )
    )
    .values(staff_mailed_at=NOW)
    .returning(sender_state.c.id)
    .cte("turn")
)
_lock_others = (
    select(outbox.c.id)
    .where(
        WAITING,
        outbox.c.kind == _KIND.name,
        outbox.c.channel == literal("mail"),
        outbox.c.priority == literal(_KIND.priority.value, outbox.c.priority.type),
        outbox.c.due_at <= NOW,
        outbox.c.id != _MAIL_ID,
        select(_take_turn.c.id).exists(),
    )
    .order_by(outbox.c.due_at, outbox.c.id)
    .limit(MOST_ROWS)
    .with_for_update(skip_locked=True)
    .cte("others")
)
_join_others = (
    update(outbox)
    .where(outbox.c.id == _lock_others.c.id)
    .values(dropped_at=NOW, dropped_reason="joined", leased_until=null())
    .returning(outbox.c.payload)
    .cte("joined")
)
_take_turn_and_others = select(
    select(sender_state.c.staff_mailed_at).scalar_subquery().label("mailed_at"),
    select(_take_turn.c.id).exists().label("has_turn"),
    select(func.jsonb_agg(_join_others.c.payload)).scalar_subquery().label("payloads"),
)
_is_own = (outbox.c.id == _MAIL_ID) & WAITING
_select_own = select(outbox.c.payload).where(_is_own).with_for_update()
_store_payload = update(outbox).where(_is_own).values(payload=bindparam("whole_payload", type_=outbox.c.payload.type))
_select_tickets = (
    select(
        support_tickets.c.id,
        support_tickets.c.subject,
        support_tickets.c.priority,
        support_tickets.c.description,
        support_tickets.c.user_id,
        users.c.username,
        case((and_(users.c.email_verified, func.is_mailable(users.c.email)), users.c.email)).label("email"),
        support_tickets.c.closed_at.is_not(None).label("is_reopened"),
    )
    .outerjoin(users, users.c.id == support_tickets.c.user_id)
    .where(support_tickets.c.id.in_(bindparam("ticket_ids", expanding=True)))
    .order_by(support_tickets.c.id)
)


def collect(connection: Connection, mail: Mail, *, now: datetime) -> list[NewTicket] | Defer:
    """Return the tickets that a leased mail reports: its own, and those of all other due mail, which is dropped.

    The payload keeps their ids, so that a retry reports them again. No tickets: another mail reports them, or they are
    gone. Call it in a transaction.
    """
    own = connection.execute(_select_own, {"mail_id": mail.id}).scalar_one_or_none()
    if own is None:
        return []
    times = {"now": now, "quiet_since": now - INTERVAL, "latest_now": now + CLOCK_SKEW}
    row = connection.execute(_take_turn_and_others, times | {"mail_id": mail.id}).one()
    if not row.has_turn:
        # The time can be of before the other run's turn. Then this row is leased, and deferred, once more.
        return Defer(max((row.mailed_at or now) + INTERVAL, now))
    ids = sorted({ticket_id for payload in (own, *(row.payloads or ())) for ticket_id in _ticket_ids(payload)})
    payload = own | {"ticket_ids": ids}
    connection.execute(_store_payload, {"mail_id": mail.id, "whole_payload": payload})
    return [NewTicket(**found._mapping) for found in connection.execute(_select_tickets, {"ticket_ids": ids})]


def _ticket_ids(payload: dict[str, Any]) -> Iterator[int]:
    yield payload["ticket_id"]
    yield from payload.get("ticket_ids", ())

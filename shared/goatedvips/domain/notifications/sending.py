"""Sending: how waiting mail is leased from the outbox, and how the outcome of each mail is recorded.

A lease takes rows for a while, so no lock is held while they are sent. If the process of a lease ends early, the lease
expires and another run sends the mail again: each mail is sent at least once, and at most once a lease.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol, get_args

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    bindparam,
    case,
    func,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
    update,
)

from goatedvips.domain.access import NOW
from goatedvips.domain.notifications.campaigns.rows import select_windows
from goatedvips.domain.notifications.kinds import Priority
from goatedvips.domain.notifications.outbox import WAITING
from goatedvips.models.newsletter import campaigns
from goatedvips.models.notifications import outbox, sender_state

TRIES = 8
FIRST_PAUSE = timedelta(minutes=1)  # doubled after each further try: the eighth is about two hours after the first
LEASE = timedelta(minutes=2)  # longer than a run of the sender, so no other run takes its mail meanwhile
CLOCK_SKEW = timedelta(seconds=10)  # by which the clocks of two runs may differ

type Outcome = Literal["sent", "dropped", "deferred", "retried", "given_up", "put_back", "handed_over"]
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome.__value__)
"""Of mail, and of push messages: these are handed over, and `pushes.results` records what came of them."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A leased row of the outbox."""

    id: int
    kind: str
    priority: int
    user_id: int | None
    email: str | None
    """The recipient; None: the staff."""
    payload: dict[str, Any]
    attempts: int
    """Tries so far, the present one included."""
    queued_at: datetime
    """When the reported event happened."""
    due_at: datetime
    expires_at: datetime | None = None
    """From when on it is of no use; None: never."""


class Leased(Protocol):
    """A leased row of the outbox."""

    @property
    def id(self) -> int:
        """Its id."""


# Each lease locks the one row of `sender_state` first, so leases follow one another. A second that another run wrote
# counts as the present one unless its clock is ahead by more than CLOCK_SKEW.
_SECOND = bindparam("this_second", type_=sender_state.c.second.type)
_is_present = sender_state.c.second.between(_SECOND, bindparam("latest_second", type_=sender_state.c.second.type))
_lock_state = (
    select(
        sender_state.c.id,
        case((_is_present, sender_state.c.second), else_=_SECOND).label("second"),
        case((_is_present, sender_state.c.taken), else_=0).label("taken"),
    )
    .with_for_update()
    .cte("state")
)
_BATCH = bindparam("batch", type_=Integer)
_most_rows = func.least(_BATCH, bindparam("rate", type_=Integer) - _lock_state.c.taken)
_limit = select(func.greatest(_most_rows, 0)).scalar_subquery()


def select_due(*conditions: ColumnElement[bool]) -> Select[Any]:
    """Return what is due of the outbox and meets the conditions, oldest first, at most `batch` rows, and lock it.

    Parameters
    ----------
    conditions: with those of `WAITING` they name one range of an index.
    """
    return (
        select(outbox.c.id, outbox.c.priority, outbox.c.due_at)
        .where(
            WAITING,
            *conditions,
            outbox.c.due_at <= NOW,
            or_(outbox.c.leased_until.is_(None), outbox.c.leased_until <= NOW),
        )
        .order_by(outbox.c.due_at, outbox.c.id)
        .limit(_BATCH)  # a number, so that the planner expects few rows and reads them in the order of the index
        .with_for_update(skip_locked=True)
    )


# By `outbox_channel_turn_idx`.
_of_priorities = [
    select(
        select_due(
            outbox.c.channel == literal("mail"),
            outbox.c.priority == literal(priority.value, outbox.c.priority.type),
        ).subquery(f"due_{priority.name.lower()}")
    )
    for priority in Priority
    if priority is not Priority.CAMPAIGN
]
# By `outbox_campaign_turn_idx`: campaigns that are paused, or that the brake stops, are not looked at, however much of
# them waits.
SENDING = select_windows(campaigns.c.status == "sending", campaigns.c.queued_at.is_not(None))
"""The campaigns of which something may be sent, unless the brake has a reason against it."""
_of_campaign = select_due(outbox.c.campaign_id == SENDING.c.id).lateral("due_campaign")
_of_campaigns = select(_of_campaign).select_from(SENDING.join(_of_campaign, true())).where(SENDING.c.reason.is_(None))
_of_each_priority = union_all(*_of_priorities, _of_campaigns).subquery("of_each_priority")
_due = (
    select(_of_each_priority.c.id)
    .order_by(_of_each_priority.c.priority, _of_each_priority.c.due_at, _of_each_priority.c.id)
    .limit(_limit)
    .cte("due")
)
_taken_now = select(func.count()).select_from(_due).scalar_subquery()
_record_taken = (
    update(sender_state)
    .where(sender_state.c.id == _lock_state.c.id, _taken_now > 0)
    .values(second=_lock_state.c.second, taken=_lock_state.c.taken + _taken_now)
    .cte("record_taken")
)
_lease = (
    update(outbox)
    .where(outbox.c.id == _due.c.id)
    .values(leased_until=bindparam("lease_ends_at", type_=outbox.c.leased_until.type), attempts=outbox.c.attempts + 1)
    .returning(
        outbox.c.id,
        outbox.c.kind,
        outbox.c.priority,
        outbox.c.user_id,
        outbox.c.address.label("email"),
        outbox.c.payload,
        outbox.c.attempts,
        outbox.c.created_at.label("queued_at"),
        outbox.c.due_at,
        outbox.c.expires_at,
    )
    .add_cte(_record_taken)
    .execution_options(commit_in_flight=True)
)


def lease(connection: Connection, batch: int, *, rate: int, now: datetime) -> list[Mail]:
    """Lease due mail for `LEASE`, in the order of priority, due time and id. Each lease counts as a try.

    Parameters
    ----------
    batch: the greatest number of rows.
    rate: the greatest number of rows that all runs together may lease in one second of the clock.
    """
    second = now.replace(microsecond=0)
    parameters = {"batch": batch, "rate": rate, "this_second": second, "latest_second": second + CLOCK_SKEW}
    rows = connection.execute(_lease, parameters | {"now": now, "lease_ends_at": now + LEASE})
    return sorted((Mail(**row._mapping) for row in rows), key=lambda mail: (mail.priority, mail.due_at, mail.id))


_is_mail = (outbox.c.id == bindparam("mail_id")) & WAITING
_record_sent = (
    update(outbox)
    .where(_is_mail)
    .values(sent_at=NOW, leased_until=null(), last_error=null(), message_id=bindparam("ses_message_id"))
    .execution_options(commit_in_flight=True)
)
_drop = (
    update(outbox)
    .where(_is_mail)
    .values(dropped_at=NOW, dropped_reason=bindparam("reason"), leased_until=null())
    .execution_options(commit_in_flight=True)
)
_record_failure = (
    update(outbox)
    .where(_is_mail)
    .values(
        leased_until=null(),
        last_error=bindparam("reason"),
        due_at=bindparam("next_try_at", type_=outbox.c.due_at.type),
        failed_at=case((outbox.c.attempts >= TRIES, NOW)),
    )
    .execution_options(commit_in_flight=True)
)
_defer = (
    update(outbox)
    .where(_is_mail)
    .values(
        leased_until=null(),
        attempts=outbox.c.attempts - 1,
        due_at=bindparam("deferred_until", type_=outbox.c.due_at.type),
    )
    .execution_options(commit_in_flight=True)
)
_put_back = (
    update(outbox)
    .where(outbox.c.id.in_(bindparam("outbox_ids", expanding=True)), WAITING)
    .values(leased_until=null(), attempts=outbox.c.attempts - 1)
    .execution_options(commit_in_flight=True)
)


def record_sent(connection: Connection, mail: Mail, message_id: str | None, *, now: datetime) -> Outcome:
    """Record that SES took the mail, and the id that SES gave it."""
    connection.execute(_record_sent, {"mail_id": mail.id, "ses_message_id": message_id, "now": now})
    return "sent"


def drop(connection: Connection, mail: Mail, reason: str, *, now: datetime) -> Outcome:
    """Give the mail up for good, although nothing failed on our side; the row stays, with the reason.

    Parameters
    ----------
    reason: why, without any of the mail's content, because it is stored.
    """
    connection.execute(_drop, {"mail_id": mail.id, "reason": reason, "now": now})
    return "dropped"


def defer(connection: Connection, mail: Mail, until: datetime) -> Outcome:
    """Let the mail wait until a later time; the present try does not count."""
    connection.execute(_defer, {"mail_id": mail.id, "deferred_until": until})
    return "deferred"


def record_failure(connection: Connection, mail: Mail, reason: str, *, now: datetime) -> Outcome:
    """Record a failed try: the mail is tried again after a pause, or given up after the last try.

    Parameters
    ----------
    reason: what went wrong, without any of the mail's content, because it is stored.
    """
    next_try_at = now + FIRST_PAUSE * 2 ** (mail.attempts - 1)
    connection.execute(_record_failure, {"mail_id": mail.id, "reason": reason, "next_try_at": next_try_at, "now": now})
    return "retried" if mail.attempts < TRIES else "given_up"


def put_back(connection: Connection, rows: Sequence[Leased]) -> Outcome:
    """End the leases of rows that were not tried, if there are any; the try does not count."""
    if rows:
        connection.execute(_put_back, {"outbox_ids": [row.id for row in rows]})
    return "put_back"


_retry_failed = (
    update(outbox)
    .where(outbox.c.failed_at.is_not(None))
    .values(failed_at=null(), last_error=null(), attempts=0, due_at=NOW)
    .returning(outbox.c.id)
)


def retry_failed(connection: Connection, *, now: datetime) -> int:
    """Queue all mail that was given up after its last try once more; return how many rows."""
    return len(connection.execute(_retry_failed, {"now": now}).all())

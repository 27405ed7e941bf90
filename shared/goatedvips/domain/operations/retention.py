"""What is kept for a while alone, and how long.

Each kind is purged in small batches along its ids, which follow the time of writing: a run ends where the rows are too
new to be old enough, so what it reads is what it removes and the little that stays behind among it.  Rows that somebody
else holds are left to the next run.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    any_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)

from goatedvips.domain import idempotency
from goatedvips.models.accounts import attempts, mailed_tokens, sessions, users
from goatedvips.models.notifications import outbox
from goatedvips.models.operations import idempotency_records

BATCH = 2000  # rows that are looked at; a member waits for one batch at most


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of a batch."""

    purged: int
    go_on_after: int | None
    """Where the next batch begins; none: there is none."""


class _Purge(NamedTuple):
    kept: timedelta
    statement: Select[int, int, bool]


_OLD = bindparam("kept_since", type_=users.c.created_at.type)
_AFTER = bindparam("after", type_=BigInteger)


def _removed(table: Table, written: Column[datetime], since: ColumnElement[datetime]) -> Select[int, int, bool]:
    """The statement that removes the rows of a batch whose time is over.

    Parameters
    ----------
    written: when a row was written, never after `since`.
    since: what its time counts from; null: it stays.
    """
    window = select(table.c.id, written.label("written"), since.label("since")).where(table.c.id > _AFTER)
    looked_at = window.order_by(table.c.id).limit(BATCH).cte("looked_at")
    # As an array, the ids are looked up in the primary key however many the planner takes them for.
    ids = func.array(select(looked_at.c.id).where(looked_at.c.since <= _OLD).scalar_subquery())
    over = select(table.c.id).where(table.c.id == any_(ids), since <= _OLD)
    over_free = over.with_for_update(of=table, skip_locked=True).cte("over")
    gone = delete(table).where(table.c.id == over_free.c.id).returning(table.c.id).cte("gone")
    return select(
        select(func.count()).select_from(gone).scalar_subquery().label("purged"),
        func.max(looked_at.c.id).label("last"),
        (func.min(looked_at.c.written) <= _OLD).label("go_on"),
    ).execution_options(commit_in_flight=True)


def _no_longer_active() -> Select[int, int, bool]:
    """The statement that takes the mark from a batch of members who were away for long: their index finds them."""
    idle = (
        select(users.c.id)
        .where(users.c.is_active, or_(users.c.last_active <= _OLD, users.c.last_active.is_(None)))
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True)
        .cte("idle")
    )
    cleared = update(users).where(users.c.id == idle.c.id).values(is_active=False).returning(users.c.id).cte("cleared")
    return (
        select(func.count().label("purged"), _AFTER.label("last"), (func.count() == BATCH).label("go_on"))
        .select_from(cleared)
        .execution_options(commit_in_flight=True)
    )


_ended = func.least(sessions.c.ended_at, sessions.c.expires_at)
_dead = func.least(mailed_tokens.c.used_at, mailed_tokens.c.expires_at)
_attempts = _removed(attempts, attempts.c.attempted_at, attempts.c.attempted_at)
_sessions = _removed(sessions, sessions.c.created_at, _ended)
_mailed_tokens = _removed(mailed_tokens, mailed_tokens.c.created_at, _dead)
# Mail that was given up was never sent: it stays for who asks why.
_sent_mail = _removed(outbox, outbox.c.created_at, outbox.c.sent_at)
_records = _removed(idempotency_records, idempotency_records.c.created_at, idempotency_records.c.created_at)
_activity = _no_longer_active()
KINDS = {
    "attempts": _Purge(timedelta(days=1), _attempts),
    "sessions": _Purge(timedelta(days=30), _sessions),
    "mailed_tokens": _Purge(timedelta(days=30), _mailed_tokens),
    "sent_mail": _Purge(timedelta(days=90), _sent_mail),
    "idempotency_records": _Purge(idempotency.KEPT, _records),
    "no_longer_active": _Purge(timedelta(days=30), _activity),
}
"""What there is to purge, and how long it is kept."""


def purge(connection: Connection, kind: str, after: int, *, now: datetime) -> Batch:
    """Purge one batch of a kind.

    Parameters
    ----------
    kind: one of `KINDS`.
    after: 0, or where the batch before said to go on.
    """
    kept, statement = KINDS[kind]
    row = connection.execute(statement, {"after": after, "kept_since": now - kept}).one()
    return Batch(row.purged, row.last if row.go_on else None)

"""Writing statements: one for each member and month in which they did anything.

A statement is inserted once for a month, and the periods of the member's links note in the same transaction up to which
total it counts. So a run that was cut off may run again, and two may run at once: who finds a statement writes nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Date,
    FromClause,
    Select,
    bindparam,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain.access import NOW
from goatedvips.domain.notifications.outbox import queued
from goatedvips.domain.wagers.statements import activity
from goatedvips.domain.wagers.statements.months import START
from goatedvips.models.accounts import users
from goatedvips.models.wagers import link_periods, statements

BATCH = 4_000
"""How many members one statement examines, so that nobody waits for its locks for long."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The result of one batch."""

    written: int
    """The number of statements."""
    next_after: int | None
    """The member's id after which the next batch begins; None: this was the last one."""


_AFTER = bindparam("after", type_=BigInteger)
_batch = select(users.c.id).where(users.c.id > _AFTER).order_by(users.c.id).limit(BATCH).cte("batch")
_RANGE = activity.range_of(_batch)
_rises = activity.rises(_batch)
_done = {
    "wagered": activity.wagered(_rises),
    "spins": activity.spins(_batch),
    "claims": activity.claims(_batch),
    "rewards": activity.granted(_batch),
    "races": activity.results(_batch),
}
_with_activity: FromClause = _batch
for _of_each in _done.values():
    _with_activity = _with_activity.outerjoin(_of_each, _of_each.c.user_id == _batch.c.id)
_is_written = exists().where(
    statements.c.user_id == _batch.c.id, statements.c.user_id.between(*_RANGE), statements.c.month == START
)
_active = (
    select(
        _batch.c.id.label("user_id"),
        *(func.coalesce(_done[name].c[name], 0).label(name) for name in ("wagered", "spins", "claims", "rewards")),
        func.coalesce(_done["races"].c.races, literal([], JSONB)).label("races"),
    )
    .select_from(_with_activity)
    .where(~_is_written, or_(*(of_each.c.user_id.is_not(None) for of_each in _done.values())))
    .cte("active")
)
# The lock conflicts only with an erasure: it commits before, and the member is left out, or it sees the statement.
_members = (
    select(users.c.id, users.c.tier, *(column for column in _active.c if column.key != "user_id"))
    .join(_active, _active.c.user_id == users.c.id)
    .where(users.c.id.between(*_RANGE), ~users.c.is_shell, users.c.erased_at.is_(None))
    .with_for_update(of=users, read=True, key_share=True)
    .cte("members")
)
_NAMES = ("wagered", "spins", "claims", "rewards", "races", "tier")
_inserted = (
    upsert(statements)
    .from_select(
        ["user_id", "month", *_NAMES, "created_at"],
        select(_members.c.id, START, *(_members.c[name] for name in _NAMES), NOW),
    )
    .on_conflict_do_nothing(index_elements=["user_id", "month"])
    .returning(statements.c.id, statements.c.user_id)
    .cte("inserted")
)
# What is added to the present closing, and not the total reached: an accepted fall may lower both meanwhile.
_count_rises = (
    update(link_periods)
    .where(
        link_periods.c.id == _rises.c.period_id,
        link_periods.c.user_id.between(*_RANGE),
        _rises.c.user_id == _inserted.c.user_id,
        _rises.c.base.is_not(None),
        or_(_rises.c.rise > 0, link_periods.c.closing.is_(None)),
    )
    .values(closing=func.coalesce(link_periods.c.closing, link_periods.c.opening, _rises.c.base) + _rises.c.rise)
    .cte("count_rises")
)
_notification = select(
    _inserted.c.user_id,
    users.c.email,
    func.jsonb_build_object("statement_id", _inserted.c.id, "month", cast(START, Date)).label("payload"),
).join(users, users.c.id == _inserted.c.user_id)
_write: Select[Any] = (
    select(
        select(func.count()).select_from(_inserted).scalar_subquery().label("written"),
        func.max(_batch.c.id).label("last_id"),
        (func.count() == BATCH).label("has_more"),
    )
    .select_from(_batch)
    .add_cte(_count_rises, *queued("statement_written", _notification))
    .execution_options(commit_in_flight=True)
)


def write_batch(connection: Connection, bounds: dict[str, object], after: int, *, now: datetime) -> Batch:
    """Write the statements of a batch of members that are not there yet.

    Parameters
    ----------
    bounds: of the month, by `months.find_bounds`.
    after: 0, or `next_after` of the batch before.
    """
    row = connection.execute(_write, bounds | {"after": after, "now": now}).one()
    return Batch(row.written, row.last_id if row.has_more else None)

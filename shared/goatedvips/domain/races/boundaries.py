"""Boundaries: the feed that counts as the state of all accounts at the instant at which a race starts or ends."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain.access import NOW
from goatedvips.models.races import race_boundaries
from goatedvips.models.races import wager_races as races
from goatedvips.models.wagers import feeds


def boundary_feed(instant: ColumnElement[datetime]) -> ColumnElement[Any]:
    """Return an expression for the id of an instant's boundary feed; null if there is none yet.

    It is the feed that a settlement has fixed for the instant. If none has, it is the first whole feed that was
    requested at the instant or later and does not say that it is older.
    """
    fixed = (
        select(race_boundaries.c.feed_id)
        .where(race_boundaries.c.instant == instant, race_boundaries.c.fixed_at.is_not(None))
        .correlate_except(race_boundaries)
        .scalar_subquery()
    )
    first_whole = (
        select(feeds.c.id)
        .where(
            feeds.c.is_whole,
            feeds.c.requested_at >= instant,
            or_(feeds.c.last_updated.is_(None), feeds.c.last_updated >= instant),
        )
        .order_by(feeds.c.requested_at, feeds.c.key)
        .limit(1)
        .correlate_except(feeds)
        .scalar_subquery()
    )
    return func.coalesce(fixed, first_whole)


READY_BEFORE = bindparam("ready_before", type_=race_boundaries.c.instant.type)
"""A settlement needs an end, and an ingestion of its feed, at this instant or before."""
FORCED_BEFORE = bindparam("forced_before", type_=race_boundaries.c.instant.type)
"""A settlement can be forced of a race that ended at this instant or before."""
_START = bindparam("start_date", type_=races.c.start_date.type)
_END = bindparam("end_date", type_=races.c.end_date.type)
_last_feed = (
    select(feeds.c.id)
    .where(feeds.c.uid_count > 0)
    .order_by(feeds.c.requested_at.desc(), feeds.c.key.desc())
    .limit(1)
    .scalar_subquery()
)
_is_forced = and_(bindparam("force", type_=Boolean), _END <= FORCED_BEFORE)
_chosen_end = select(
    func.coalesce(boundary_feed(_END), case((_is_forced, _last_feed))).label("feed_id"),
    boundary_feed(_END).is_(None).label("is_forced"),
).cte("chosen_end")
CHOSEN = (
    select(func.coalesce(boundary_feed(_START), _chosen_end.c.feed_id).label("start_feed_id"), _chosen_end.c.feed_id)
    .select_from(_chosen_end)
    .join(feeds, feeds.c.id == _chosen_end.c.feed_id)
    .where(or_(_chosen_end.c.is_forced, and_(_END <= READY_BEFORE, feeds.c.ingested_at <= READY_BEFORE)))
    .cte("chosen")
)
"""The feeds of `start_date` and `end_date`, `start_feed_id` and `feed_id`; no row if the time has not come.

With `force` it is the last feed that was read, if a feed of the end is missing.
"""
_in_order = union(  # one row for an adopted race that ends when it starts
    select(_START.label("instant"), CHOSEN.c.start_feed_id.label("feed_id")),
    select(_END, CHOSEN.c.feed_id),
).subquery("boundaries")
_insert_boundaries = upsert(race_boundaries).from_select(
    ["instant", "feed_id", "fixed_at"], select(_in_order, NOW).order_by(_in_order.c.instant)
)
# Another race's settlement may have fixed one of them meanwhile: that one stays.
FIX_BOUNDARIES = _insert_boundaries.on_conflict_do_update(
    index_elements=["instant"],
    set_={"feed_id": _insert_boundaries.excluded.feed_id, "fixed_at": NOW},
    where=race_boundaries.c.fixed_at.is_(None),
).cte("fixed")
"""The insert that fixes `CHOSEN`, in one order for all settlements, so that two do not wait for each other."""

_select_unkept = (
    select(race_boundaries.c.instant, feeds.c.key)
    .join(feeds, feeds.c.id == race_boundaries.c.feed_id)
    .where(race_boundaries.c.fixed_at.is_not(None), race_boundaries.c.kept_at.is_(None))
    .order_by(race_boundaries.c.instant)
)
_set_kept = (
    update(race_boundaries)
    .where(race_boundaries.c.instant == bindparam("kept_instant", type_=race_boundaries.c.instant.type))
    .values(kept_at=NOW)
    .execution_options(commit_in_flight=True)
)


def find_unkept(connection: Connection) -> Sequence[tuple[datetime, str]]:
    """Return the fixed boundaries whose raw feeds are not known to be copied: the instants, and the feeds' keys."""
    return [(row.instant, row.key) for row in connection.execute(_select_unkept)]


def record_kept(connection: Connection, instant: datetime, *, now: datetime) -> None:
    """Record that the raw feed of a boundary was copied to where the bucket keeps it for longer."""
    connection.execute(_set_kept, {"kept_instant": instant, "now": now})

"""What the clock changes: the status in the races' rows, and the next race of each one that repeats.

The windows of a repeating race begin and end at midnight in its time zone. A weekly race runs from Monday to Monday, a
monthly one from the 1st to the 1st, a weekend race from Saturday to Monday.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from sqlalchemy import (
    Boolean,
    Connection,
    Interval,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips import time_zones
from goatedvips.domain.access import NOW
from goatedvips.domain.notifications.outbox import queued
from goatedvips.domain.races.race_statements import RACE_ID, status_by_clock
from goatedvips.models.accounts import users
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races

LATEST_NOTICE = timedelta(days=1)  # after its start, no participant is told any more that a race has begun
AHEAD = timedelta(days=7)  # the next race of a series is created this long before it starts
LARGEST_SHIFT = timedelta(hours=3)  # a zone's midnight moves by at most this when the rules of the zone change
_MONDAY, _SATURDAY = 1, 6  # ISO 8601


@dataclass(frozen=True, slots=True)
class Window:
    """The half-open window of a race: [start, end)."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Advance:
    """The numbers of races that a run has started, completed and created.

    Parameters
    ----------
    unknown_zones: how many races could not be repeated, because the deployed tzdata package has no such zone.
    """

    started: int
    completed: int
    created: int
    unknown_zones: int


def next_window(kind: str, zone: tzinfo, *, after: datetime, now: datetime) -> Window:
    """The window of the race that follows one which ended at `after`. It is not over at `now`.

    A race that ended on a boundary of the windows is continued exactly where it ended, although the boundary may have
    moved since its end was computed, because the rules of the zone have changed. Its own end follows the present rules.
    A race that ended anywhere else is followed by the next whole window.

    Parameters
    ----------
    kind: weekly, monthly or weekend.
    after: the end of the race before.
    now: windows that have ended by then are left out.
    """
    day = (after - LARGEST_SHIFT).date() - timedelta(days=1)  # in UTC; no zone is more than a day ahead
    while True:
        start, end = _midnight(day, zone), _midnight(_closing_day(kind, day), zone)
        if _opens(kind, day) and start >= after - LARGEST_SHIFT and end > now:
            return Window(after if start <= after + LARGEST_SHIFT else start, end)
        day += timedelta(days=1)


def _opens(kind: str, day: date) -> bool:
    match kind:
        case "weekly":
            return day.isoweekday() == _MONDAY
        case "weekend":
            return day.isoweekday() == _SATURDAY
    return day.day == 1


def _closing_day(kind: str, day: date) -> date:
    match kind:
        case "weekly":
            return day + timedelta(days=7)
        case "weekend":
            return day + timedelta(days=2)
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def _midnight(day: date, zone: tzinfo) -> datetime:
    """When a local day begins: at the first of two midnights, or at the jump if the clock skips midnight.

    Each day has exactly one such instant, so a window ends where the next one starts.
    """
    return datetime.combine(day, time(), zone).astimezone(UTC)


_LEGACY_APP = bindparam("legacy_app", type_=Boolean)
# SKIP LOCKED: a locked row is handled by a concurrent run, or is being changed, and then the next run handles it.
# Adopted races have no `created_by`. While the legacy application runs, it writes their status itself. Those that ended
# before the adoption are marked as settled, and keep their status.
_lock_due_races = (
    select(races.c.id)
    .where(
        races.c.cancelled_at.is_(None),
        races.c.status != status_by_clock,
        or_(races.c.created_by.is_not(None), and_(not_(_LEGACY_APP), races.c.settled_at.is_(None))),
    )
    .with_for_update(skip_locked=True, key_share=True)
    .cte("due")
)
_update_statuses = (
    update(races)
    .where(races.c.id == _lock_due_races.c.id)
    .values(status=status_by_clock, updated_at=NOW)
    .returning(races.c.id, races.c.title, races.c.status, races.c.start_date, races.c.end_date)
    .cte("changed")
)
_changed = _update_statuses.c
_began = (
    select(
        users.c.id.label("user_id"),
        users.c.email,
        func.jsonb_build_object("race_id", _changed.id, "title", _changed.title, "end_date", _changed.end_date).label(
            "payload"
        ),
        _changed.end_date.label("expires_at"),
    )
    .select_from(_update_statuses)
    .join(participants, participants.c.race_id == _changed.id)
    .join(users, users.c.id == participants.c.member_key)
    .where(
        participants.c.is_listed,
        users.c.erased_at.is_(None),
        _changed.status == "live",
        # Not of a race that has been live for days, as at the first run after an adoption.
        _changed.start_date > NOW - literal(LATEST_NOTICE, Interval()),
    )
)
_write_statuses = select(_changed.status).add_cte(*queued("race_started", _began))

_successor = races.alias("successor")
_lock_races_to_repeat = (
    select(races.c.id, races.c.type, races.c.time_zone, races.c.end_date)
    .where(
        races.c.time_zone.is_not(None),
        races.c.cancelled_at.is_(None),
        races.c.end_date <= bindparam("ahead", type_=races.c.end_date.type),
        ~exists().where(_successor.c.follows_id == races.c.id),
    )
    .order_by(races.c.end_date, races.c.id)
    .with_for_update(skip_locked=True, key_share=True)
)
_START = bindparam("start", type_=races.c.start_date.type)
_END = bindparam("end", type_=races.c.end_date.type)
_copied = {
    name: races.c[name]
    for name in (
        "title",
        "type",
        "prize_pool",
        "min_wager",
        "prize_distribution",
        "rules",
        "description",
        "time_zone",
        "created_by",
    )
}
_insert_successor = (
    upsert(races)
    .from_select(
        [*_copied, "status", "start_date", "end_date", "follows_id", "created_at", "updated_at"],
        select(
            *_copied.values(),
            case((_START > NOW, literal("upcoming", Text)), else_=literal("live", Text)),
            _START,
            _END,
            races.c.id,
            NOW,
            NOW,
        ).where(races.c.id == RACE_ID),
    )
    .on_conflict_do_nothing(index_elements=["follows_id"])
    .returning(races.c.id)
)


def advance(connection: Connection, *, legacy_app: bool, now: datetime) -> Advance:
    """Update the statuses that the clock has changed, and create the next race of each series a week before its start.

    A cancelled race has no successor, so cancelling the last race of a series ends the series. Windows that passed
    while this function did not run are left out.

    Parameters
    ----------
    legacy_app: the legacy application still uses this database, so the races that it made are left to it.
    """
    statuses = connection.execute(_write_statuses, {"legacy_app": legacy_app, "now": now}).scalars().all()
    created = unknown_zones = 0
    for race in connection.execute(_lock_races_to_repeat, {"ahead": now + AHEAD}).all():
        try:
            zone = time_zones.zone(race.time_zone)
        except time_zones.UnknownTimeZone:
            unknown_zones += 1
            continue
        window = next_window(race.type, zone, after=race.end_date, now=now)
        if window.start <= now + AHEAD:
            parameters = {"race_id": race.id, "start": window.start, "end": window.end, "now": now}
            created += len(connection.execute(_insert_successor, parameters).all())
    return Advance(
        started=statuses.count("live"),
        completed=statuses.count("completed"),
        created=created,
        unknown_zones=unknown_zones,
    )

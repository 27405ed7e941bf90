"""What the clock does to races: their written status, and the next race of one that repeats.

A repeating race's windows begin and end at midnight in its time zone: weekly from Monday to Monday, monthly from the
1st to the 1st, at the weekend from Saturday to Monday.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from sqlalchemy import Boolean, Connection, Text, and_, bindparam, case, exists, literal, not_, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips import time_zones
from goatedvips.domain.access import NOW
from goatedvips.domain.races.races import RACE_ID, status_by_clock
from goatedvips.models.races import wager_races as races

AHEAD = timedelta(days=7)  # how long before its start the next race is there to be joined
LARGEST_SHIFT = timedelta(hours=3)  # a zone's midnight moves by less than this when the rules of the zone change
_MONDAY, _SATURDAY = 1, 6  # ISO 8601


@dataclass(frozen=True, slots=True)
class Window:
    """When a race runs: [start, end)."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Advance:
    """How many races a run has started, completed and created.

    Parameters
    ----------
    unknown_zones: how many races the run could not repeat, because this release of the code does not know their zone.
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
    """When the day begins there: the first of two midnights, or where the clock skips midnight the moment it does so.

    Each day has one such instant, so a window ends exactly where the next one starts, whatever the clock does between.
    """
    return datetime.combine(day, time(), zone).astimezone(UTC)


_OURS_ONLY = bindparam("ours_only", type_=Boolean)
# Locked rows are another run's, or are being changed: the next run sees to what is left.  Races of the guide's
# application are its own while it runs; those that ended before the adoption count as settled, and stay as they are.
_due = (
    select(races.c.id)
    .where(
        races.c.cancelled_at.is_(None),
        races.c.status != status_by_clock,
        or_(races.c.created_by.is_not(None), and_(not_(_OURS_ONLY), races.c.settled_at.is_(None))),
    )
    .with_for_update(skip_locked=True, key_share=True)
    .cte("due")
)
_advance = (
    update(races)
    .where(races.c.id == _due.c.id)
    .values(status=status_by_clock, updated_at=NOW)
    .returning(races.c.status)
)

_next = races.alias("next")
_ending = (
    select(races.c.id, races.c.type, races.c.time_zone, races.c.end_date)
    .where(
        races.c.time_zone.is_not(None),
        races.c.cancelled_at.is_(None),
        races.c.end_date <= bindparam("ahead", type_=races.c.end_date.type),
        ~exists().where(_next.c.follows_id == races.c.id),
    )
    .order_by(races.c.end_date, races.c.id)
    .with_for_update(skip_locked=True, key_share=True)
)
_START = bindparam("start", type_=races.c.start_date.type)
_END = bindparam("end", type_=races.c.end_date.type)
_repeated = {
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
_repeat = (
    upsert(races)
    .from_select(
        [*_repeated, "status", "start_date", "end_date", "follows_id", "created_at", "updated_at"],
        select(
            *_repeated.values(),
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


def advance(connection: Connection, *, ours_only: bool, now: datetime) -> Advance:
    """Write down the statuses that the clock has changed, and create the next races a week ahead, each once.

    A cancelled race has no next one: cancelling the last of a series ends it. Windows that went by while nothing ran
    are left out.

    Parameters
    ----------
    ours_only: leave the races of the guide's application to it.
    """
    statuses = connection.execute(_advance, {"ours_only": ours_only, "now": now}).scalars().all()
    created = unknown_zones = 0
    for race in connection.execute(_ending, {"ahead": now + AHEAD}).all():
        try:
            zone = time_zones.zone(race.time_zone)
        except time_zones.UnknownTimeZone:
            unknown_zones += 1
            continue
        window = next_window(race.type, zone, after=race.end_date, now=now)
        if window.start <= now + AHEAD:
            parameters = {"race_id": race.id, "start": window.start, "end": window.end, "now": now}
            created += len(connection.execute(_repeat, parameters).all())
    return Advance(statuses.count("live"), statuses.count("completed"), created, unknown_zones)

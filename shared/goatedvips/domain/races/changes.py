"""What staff do with races: create one, change its texts, dates and prizes, and cancel it.

Whoever changes a race, settles it or creates its successor first locks its row (FOR NO KEY UPDATE), so these happen one
after the other.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Row,
    Select,
    Text,
    bindparam,
    case,
    cast,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.domain import access, audit
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.races.participant_counts import PARTICIPANTS
from goatedvips.domain.races.race_statements import RACE_COLUMNS, RACE_ID
from goatedvips.domain.races.races import Race, race_of
from goatedvips.errors import NotFound, RaceFrozen, RaceSettled, ValidationFailed
from goatedvips.models.races import wager_races as races


@dataclass(frozen=True, slots=True)
class NewRace:
    """A race to be created.

    Parameters
    ----------
    prize_pool, min_wager: US dollars.
    prize_distribution: percent of the prize pool by rank, "1" first.
    time_zone: IANA name of the zone in which a repeating race begins and ends at midnight; None: the race is not
        repeated.
    """

    title: str
    type: str
    prize_pool: Decimal
    start_date: datetime
    end_date: datetime
    min_wager: Decimal
    prize_distribution: Mapping[str, Decimal]
    rules: str | None = None
    description: str | None = None
    time_zone: str | None = None


_staff = access.staff()
_new_values = {
    name: bindparam(f"new_{name}", type_=races.c[name].type)
    for name in (
        "title",
        "type",
        "status",
        "prize_pool",
        "start_date",
        "end_date",
        "min_wager",
        "rules",
        "description",
        "time_zone",
    )
}
# JSON text, because the percents are exact decimals and Python's JSON would make floats of them.
_NEW_DISTRIBUTION = cast(bindparam("new_prize_distribution", type_=Text), JSONB)
_insert_race = (
    insert(races)
    .from_select(
        [*_new_values, "prize_distribution", "created_by", "created_at", "updated_at"],
        select(*_new_values.values(), _NEW_DISTRIBUTION, _staff.c.id, NOW, NOW),
    )
    .returning(*RACE_COLUMNS, races.c.time_zone)
    .cte("created")
)
_create_race: Select[*tuple[Any, ...]] = (
    select(*(_insert_race.c[column.name] for column in RACE_COLUMNS), literal(0).label("participants"))
    .add_cte(audit.recorded("create_race", _insert_race))
    .execution_options(commit_in_flight=True)
)


def _distribution_text(distribution: Mapping[str, Decimal]) -> str:
    """Return a prize distribution as JSON text with its exact decimals."""
    percents = ", ".join(f'"{rank}": {percent:f}' for rank, percent in distribution.items())
    return f"{{{percents}}}"


def create(connection: Connection, caller: Caller, race: NewRace, *, now: datetime) -> Race:
    """Create a race. If its start has passed, it is live at once.

    Raises
    ------
    ValidationFailed: its end has passed.
    Unauthenticated, AccountSuspended, Forbidden
    """
    if race.end_date <= now:
        raise ValidationFailed(errors=[{"pointer": "/end_date", "detail": "must be in the future"}])
    parameters = {f"new_{name}": getattr(race, name) for name in _new_values if name != "status"} | {
        "new_status": "live" if race.start_date <= now else "upcoming",
        "new_prize_distribution": _distribution_text(race.prize_distribution),
    }
    row = access.one(connection, _create_race, caller, parameters, now=now, staff=True)
    return race_of(row)


_TEXTS = ("rules", "description")
_VALUES = ("title", "prize_pool", "start_date", "end_date", "min_wager")
_FROZEN_WHILE_LIVE = {"start_date": "start", "min_wager": "minimum", "prize_distribution": "prize distribution"}

_lock_race = (
    select(
        *RACE_COLUMNS,
        PARTICIPANTS.label("participants"),
        races.c.cancelled_at,
        races.c.settled_at,
        races.c.follows_id,
        (races.c.prize_distribution != _NEW_DISTRIBUTION).label("shares_differ"),
    )
    .select_from(_staff)
    .join(races, races.c.id == RACE_ID)
    .with_for_update(of=races, key_share=True)
)
_before = select(*RACE_COLUMNS).where(races.c.id == RACE_ID).cte("before")
_successor = races.alias("successor")
_NEW_END = func.coalesce(bindparam("new_end_date", type_=races.c.end_date.type), races.c.end_date)
_update_race = (
    update(races)
    .where(
        races.c.id == RACE_ID,
        or_(races.c.end_date == _NEW_END, ~exists().where(_successor.c.follows_id == races.c.id)),
    )
    .values(
        {name: func.coalesce(bindparam(f"new_{name}", type_=races.c[name].type), races.c[name]) for name in _VALUES}
        | {
            name: case(
                (bindparam(f"gives_{name}", type_=Boolean), bindparam(f"new_{name}", type_=Text)), else_=races.c[name]
            )
            for name in _TEXTS
        }
        | {"prize_distribution": func.coalesce(_NEW_DISTRIBUTION, races.c.prize_distribution), "updated_at": NOW}
    )
    .returning(*RACE_COLUMNS)
    .cte("updated")
)
_change_race = (
    select(*_update_race.c)
    .add_cte(audit.recorded("update_race", _update_race, _before))
    .execution_options(commit_in_flight=True)
)


def change(connection: Connection, caller: Caller, race_id: int, given: Mapping[str, Any], *, now: datetime) -> Race:
    """Change a race, as far as it is not frozen. Values that are the race's already change nothing.

    Parameters
    ----------
    given: new values by the names of `NewRace`; a text that is to be removed is None.

    Raises
    ------
    NotFound
    RaceSettled
    RaceFrozen: the race is cancelled; or it is live or over, or belongs to a series, and this can no longer change.
    ValidationFailed: the race would end in the past, or before it starts.
    Unauthenticated, AccountSuspended, Forbidden
    """
    parameters: dict[str, Any] = {
        "race_id": race_id,
        **{f"new_{name}": given.get(name) for name in (*_VALUES, *_TEXTS)},
        **{f"gives_{name}": name in given for name in _TEXTS},
        "new_prize_distribution": _distribution_text(given["prize_distribution"])
        if "prize_distribution" in given
        else None,
    }
    # Two statements: the second one sees the successor that a transaction made which held the lock until now.
    row = access.one_or_none(connection, _lock_race, caller, parameters, now=now, staff=True)
    if row is None:
        raise NotFound
    if row.settled_at is not None:
        raise RaceSettled
    if row.cancelled_at is not None:
        raise RaceFrozen("A cancelled race cannot be changed")
    changed = [name for name in given if _differs(row, name, given[name])]
    _refuse_frozen(row, changed, given, now)
    _refuse_window(row, changed, given, now)
    if not changed:
        return race_of(row)
    updated = connection.execute(_change_race, caller.parameters(now) | parameters).one_or_none()
    if updated is None:
        raise RaceFrozen("The next race of the series begins where this one ends, so the end cannot move")
    return Race(**updated._mapping, participants=row.participants)


def _differs(row: Row[Any], name: str, value: object) -> bool:
    return bool(row.shares_differ) if name == "prize_distribution" else value != row._mapping[name]


def _refuse_frozen(row: Row[Any], changed: Collection[str], given: Mapping[str, Any], now: datetime) -> None:
    """Refuse what cannot change in a race that is live or over, or that follows another one.

    Raises
    ------
    RaceFrozen
    """
    if "start_date" in changed and row.follows_id is not None:
        raise RaceFrozen("This race begins where the one before it ends, so its start cannot move")
    if row.start_date > now:
        return
    for name, words in _FROZEN_WHILE_LIVE.items():
        if name in changed:
            raise RaceFrozen(f"The {words} of a race cannot change once it is live")
    is_over = row.end_date <= now
    is_lower = row.prize_pool.is_finite() and given.get("prize_pool", row.prize_pool) < row.prize_pool  # adopted: NaN
    if "prize_pool" in changed and (is_over or is_lower):
        raise RaceFrozen("The prize pool of a live race can only rise, and only before the end")
    if "end_date" in changed and (is_over or given["end_date"] < row.end_date):
        raise RaceFrozen("The end of a live race can only move later, and only before it")


def _refuse_window(row: Row[Any], changed: Collection[str], given: Mapping[str, Any], now: datetime) -> None:
    """Refuse a window that is over already, or that ends before it begins.

    Raises
    ------
    ValidationFailed
    """
    start, end = given.get("start_date", row.start_date), given.get("end_date", row.end_date)
    if "end_date" in changed and end <= now:
        raise ValidationFailed(errors=[{"pointer": "/end_date", "detail": "must be in the future"}])
    if "end_date" in changed and end <= start:
        raise ValidationFailed(errors=[{"pointer": "/end_date", "detail": "must be after the start"}])
    if "start_date" in changed and end <= start:
        raise ValidationFailed(errors=[{"pointer": "/start_date", "detail": "must be before the end"}])


_race = (
    select(*RACE_COLUMNS, PARTICIPANTS.label("participants"), races.c.settled_at)
    .select_from(_staff)
    .join(races, races.c.id == RACE_ID)
    .with_for_update(of=races, key_share=True)
    .cte("race")
)
# The mirror image of the settlement, which takes only races that are not cancelled.
_set_cancelled = (
    update(races)
    .where(races.c.id == _race.c.id, races.c.settled_at.is_(None), races.c.cancelled_at.is_(None))
    .values(cancelled_at=NOW, status=literal("cancelled", Text), updated_at=NOW)
    .returning(races.c.id, races.c.cancelled_at)
    .cte("cancelled")
)
_cancel_race = (
    select(*_race.c).add_cte(audit.recorded("cancel_race", _set_cancelled)).execution_options(commit_in_flight=True)
)


def cancel(connection: Connection, caller: Caller, race_id: int, *, now: datetime) -> Race:
    """Cancel a race that is not settled. Cancelling it again changes nothing.

    Raises
    ------
    NotFound
    RaceSettled
    Unauthenticated, AccountSuspended, Forbidden
    """
    row = access.one_or_none(connection, _cancel_race, caller, {"race_id": race_id}, now=now, staff=True)
    if row is None:
        raise NotFound
    if row.settled_at is not None:
        raise RaceSettled
    return replace(race_of(row), status="cancelled")

"""Staff's changes to a race that exists: its texts, dates and prizes, and its cancellation.

Whoever changes a race, settles it or creates its successor first locks its row (FOR NO KEY UPDATE), so these happen one
after the other.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Connection, Row, Text, bindparam, case, exists, func, literal, or_, select, update

from goatedvips.domain import access, audit
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.races.participant_counts import PARTICIPANTS
from goatedvips.domain.races.races import NEW_DISTRIBUTION, RACE_COLUMNS, RACE_ID, Race, distribution_text
from goatedvips.errors import NotFound, RaceFrozen, RaceSettled, ValidationFailed
from goatedvips.models.races import wager_races as races

_staff = access.staff()
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
        (races.c.prize_distribution != NEW_DISTRIBUTION).label("shares_differ"),
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
        | {"prize_distribution": func.coalesce(NEW_DISTRIBUTION, races.c.prize_distribution), "updated_at": NOW}
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
        "new_prize_distribution": distribution_text(given["prize_distribution"])
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
        return _race_of(row)
    updated = connection.execute(_change_race, caller.parameters(now) | parameters).one_or_none()
    if updated is None:
        raise RaceFrozen("The next race of the series begins where this one ends, so the end cannot move")
    return Race(**updated._mapping, participants=row.participants)


def _race_of(row: Row[Any]) -> Race:
    return Race(**{name: row._mapping[name] for name in Race.__dataclass_fields__})


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
    return replace(_race_of(row), status="cancelled")

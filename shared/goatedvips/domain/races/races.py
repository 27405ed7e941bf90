"""Wager races: list them, read one, create one.

A race runs in the half-open window [start_date, end_date). Every answer computes the status from the clock;
`recurrence.advance` also writes it to the row each minute, for the legacy application.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    insert,
    literal,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.domain import access, audit, pagination
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.first_statements import compile_at_import
from goatedvips.domain.pagination import Keyset, Page
from goatedvips.domain.races.participant_counts import PARTICIPANTS
from goatedvips.errors import NotFound, ValidationFailed
from goatedvips.models.races import wager_races as races


@dataclass(frozen=True, slots=True)
class Race:
    """A race at an instant.

    Parameters
    ----------
    status: upcoming, live, completed or cancelled.
    prize_distribution: JSON; percent of the pool by rank, but any JSON in an adopted row.
    participants: how many members take part.
    """

    id: int
    title: str
    type: str
    status: str
    prize_pool: Decimal
    start_date: datetime
    end_date: datetime
    min_wager: Decimal
    prize_distribution: object
    rules: str | None
    description: str | None
    participants: int


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


RACE_ID = bindparam("race_id", type_=races.c.id.type)

status_by_clock = case(
    (races.c.cancelled_at.is_not(None), literal("cancelled", Text)),
    (races.c.start_date > NOW, literal("upcoming", Text)),
    (races.c.end_date > NOW, literal("live", Text)),
    else_=literal("completed", Text),
)
"""The status of a race at `now`. The column `status` may lag behind it."""

RACE_COLUMNS = (
    races.c.id,
    races.c.title,
    races.c.type,
    status_by_clock.label("status"),
    races.c.prize_pool,
    races.c.start_date,
    races.c.end_date,
    races.c.min_wager,
    races.c.prize_distribution,
    races.c.rules,
    races.c.description,
)
"""The columns of `Race` but for `participants`."""
_select_races: Select[*tuple[Any, ...]] = select(*RACE_COLUMNS, PARTICIPANTS.label("participants"))
_LATEST_START_FIRST = Keyset(races.c.start_date, races.c.id)
_is_not_cancelled = races.c.cancelled_at.is_(None)
# An array, because otherwise PostgreSQL could read past races in the order of the list until it has met enough live
# ones, which would be all past races if an old one lives on.
_live_ids = func.array(
    select(races.c.id).where(_is_not_cancelled, races.c.end_date > NOW, races.c.start_date <= NOW).scalar_subquery()
)
# For each status a condition with an index of its own: a page reads no race of another status but the few live ones.
_OF_STATUS: dict[str | None, ColumnElement[bool]] = {
    None: true(),
    "upcoming": and_(_is_not_cancelled, races.c.start_date > NOW),
    "live": races.c.id == any_(_live_ids),
    "completed": and_(_is_not_cancelled, races.c.start_date <= NOW, races.c.end_date <= NOW),
    "cancelled": races.c.cancelled_at.is_not(None),
}
_select_pages = {
    status: _LATEST_START_FIRST.page_of(_select_races.where(condition)) for status, condition in _OF_STATUS.items()
}
compile_at_import(_select_pages["live"], {*_LATEST_START_FIRST.parameters(1, None), "now"})


def newest(connection: Connection, status: str | None, *, limit: int, cursor: str | None, now: datetime) -> Page[Race]:
    """A page of the races. The race with the latest start comes first.

    Parameters
    ----------
    status: only races of this status; None: all races.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    """
    return pagination.newest(
        connection,
        _select_pages[status],
        {"now": now},
        lambda row: Race(**row._mapping),
        by=_LATEST_START_FIRST,
        limit=limit,
        cursor=cursor,
    )


_select_race = _select_races.where(races.c.id == RACE_ID)


def get(connection: Connection, race_id: int, *, now: datetime) -> Race:
    """One race.

    Raises
    ------
    NotFound
    """
    row = connection.execute(_select_race, {"race_id": race_id, "now": now}).one_or_none()
    if row is None:
        raise NotFound
    return Race(**row._mapping)


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
NEW_DISTRIBUTION = cast(bindparam("new_prize_distribution", type_=Text), JSONB)
"""A prize distribution as the database stores it, of a parameter that `distribution_text` makes."""
_insert_race = (
    insert(races)
    .from_select(
        [*_new_values, "prize_distribution", "created_by", "created_at", "updated_at"],
        select(*_new_values.values(), NEW_DISTRIBUTION, _staff.c.id, NOW, NOW),
    )
    .returning(*RACE_COLUMNS, races.c.time_zone)
    .cte("created")
)
_create_race: Select[*tuple[Any, ...]] = (
    select(*(_insert_race.c[column.name] for column in RACE_COLUMNS), literal(0).label("participants"))
    .add_cte(audit.recorded("create_race", _insert_race))
    .execution_options(commit_in_flight=True)
)


def distribution_text(distribution: Mapping[str, Decimal]) -> str:
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
        "new_prize_distribution": distribution_text(race.prize_distribution),
    }
    row = access.one(connection, _create_race, caller, parameters, now=now, staff=True)
    return Race(**row._mapping)

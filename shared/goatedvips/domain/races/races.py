"""Wager races: which there are, who takes part, and new ones.

A race runs in [start, end). Its status follows the clock at every reading; `race_calendar` writes it down each minute.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Text,
    bindparam,
    case,
    cast,
    func,
    insert,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.domain import access, audit, pagination
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.pagination import Keyset, Page
from goatedvips.errors import NotFound, ValidationFailed
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races


@dataclass(frozen=True, slots=True)
class Race:
    """A race as it stands at an instant; `participants` is their number."""

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
    """A race as the staff want it."""

    title: str
    type: str
    prize_pool: Decimal
    start_date: datetime
    end_date: datetime
    min_wager: Decimal
    prize_distribution: Mapping[str, Decimal]
    """Percent by rank, from "1" on."""
    rules: str | None = None
    description: str | None = None
    time_zone: str | None = None
    """Where the windows of a repeating race begin and end at midnight; none: it does not repeat."""


RACE_ID = bindparam("race_id", type_=races.c.id.type)

status_by_clock = case(
    (races.c.cancelled_at.is_not(None), literal("cancelled", Text)),
    (races.c.start_date > NOW, literal("upcoming", Text)),
    (races.c.end_date > NOW, literal("live", Text)),
    else_=literal("completed", Text),
)
"""A race's status at `now`, whatever its row says."""

_told = (
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
# Of an adopted member's rows in a race the oldest, which has the key, is the participation.
_crowd = (
    select(func.count())
    .where(participants.c.race_id == races.c.id, participants.c.member_key.is_not(None))
    .scalar_subquery()
)
_races: Select[*tuple[Any, ...]] = select(*_told, _crowd.label("participants"))
_WANTED = bindparam("wanted_status", type_=Text)
_LATEST_START_FIRST = Keyset(races.c.start_date, races.c.id)
_newest_first = _LATEST_START_FIRST.page_of(_races.where(or_(_WANTED.is_(None), status_by_clock == _WANTED)))


def newest(connection: Connection, status: str | None, *, limit: int, cursor: str | None, now: datetime) -> Page[Race]:
    """The races, the one that starts last first; all, or those of one status.

    Raises
    ------
    ValidationFailed: the cursor is none of this list.
    """
    return pagination.newest(
        connection,
        _newest_first,
        {"wanted_status": status, "now": now},
        lambda row: Race(**row._mapping),
        by=_LATEST_START_FIRST,
        limit=limit,
        cursor=cursor,
    )


_one = _races.where(races.c.id == RACE_ID)


def get(connection: Connection, race_id: int, *, now: datetime) -> Race:
    """One race.

    Raises
    ------
    NotFound
    """
    row = connection.execute(_one, {"race_id": race_id, "now": now}).one_or_none()
    if row is None:
        raise NotFound
    return Race(*row)


_staff = access.staff()
_given = {
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
# Sent as text, since the percents are exact decimals.
_distribution = cast(bindparam("new_prize_distribution", type_=Text), JSONB)
_created = (
    insert(races)
    .from_select(
        [*_given, "prize_distribution", "created_by", "created_at", "updated_at"],
        select(*_given.values(), _distribution, _staff.c.id, NOW, NOW),
    )
    .returning(*_told, races.c.time_zone)
    .cte("created")
)
_create: Select[*tuple[Any, ...]] = (
    select(*(_created.c[column.name] for column in _told), literal(0))
    .add_cte(audit.noted("create_race", _created))
    .execution_options(commit_in_flight=True)
)


def create(connection: Connection, caller: Caller, race: NewRace, *, now: datetime) -> Race:
    """Announce a race; one whose start has passed is live at once.

    Raises
    ------
    ValidationFailed: it would be over.
    Unauthenticated, AccountSuspended, Forbidden
    """
    if race.end_date <= now:
        raise ValidationFailed(errors=[{"pointer": "/end_date", "detail": "must be in the future"}])
    percents = ", ".join(f'"{rank}": {percent:f}' for rank, percent in race.prize_distribution.items())
    parameters = {f"new_{name}": getattr(race, name) for name in _given if name != "status"} | {
        "new_status": "live" if race.start_date <= now else "upcoming",
        "new_prize_distribution": f"{{{percents}}}",
    }
    row = access.one(connection, _create, caller, parameters, now=now, staff=True)
    return Race(*row)

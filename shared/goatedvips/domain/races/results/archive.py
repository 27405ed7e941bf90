"""The archive of settled races: its row is written by the settlement, and the settlement's report is read from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CTE,
    Connection,
    FromClause,
    Integer,
    Numeric,
    Text,
    and_,
    bindparam,
    cast,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH, aggregate_order_by

from goatedvips.domain.access import NOW
from goatedvips.domain.races.race_statements import RACE_ID
from goatedvips.models.accounts import users
from goatedvips.models.races import historical_races, race_boundaries
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races
from goatedvips.models.wagers import feeds

MOST_ENTRIES = 1_000
"""Participants in the archive and in a report, by rank. More are archived only if more have a paid place."""

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_CENTS = 100


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a settlement, or what it would be.

    Parameters
    ----------
    settled_at: None: not yet.
    standings: at most `MOST_ENTRIES` participants, by rank, then those without one: `user_id`, `rank`, `score` and
        `prize`, the last two in US dollars; in a dry run also `new`, whether the account appeared after the start.
    participants, ranked: how many take part, and how many of them have a rank.
    paid, unallocated: US dollars of the prize pool; None: the race was settled without the platform.
    disqualified: the ids of the members whom staff disqualified.
    just_settled: whether this call made the settlement.
    falls: in a dry run, accounts whose total is below an earlier one: `user_id`, `highest` and `total`, in US dollars.
    """

    race_id: int
    settled_at: datetime | None
    standings: Sequence[Mapping[str, Any]]
    participants: int
    ranked: int
    paid: Decimal | None
    unallocated: Decimal | None
    disqualified: Sequence[int]
    just_settled: bool = False
    falls: Sequence[Mapping[str, Any]] = ()


_OF_RACE = and_(participants.c.race_id == RACE_ID, participants.c.is_listed)
_RFC_3339 = literal('YYYY-MM-DD"T"HH24:MI:SS.MS"Z"', Text)
_ENTRIES = bindparam("archived_entries", type_=Integer)
_MONTH, _YEAR = bindparam("month", type_=Text), bindparam("year", type_=Text)
_PAID, _UNALLOCATED = bindparam("paid", type_=Numeric(18, 2)), bindparam("unallocated", type_=Numeric(18, 2))


def archived(prizes: FromClause) -> CTE:
    """Return the insert of the archive row of a settled race, which is bound to `parameters`.

    Parameters
    ----------
    prizes: rows with `user_id` and `cents`, the members who win something.
    """
    first = (
        select(
            participants.c.id,
            participants.c.rank,
            participants.c.total_wager,
            participants.c.member_key.label("user_id"),
            users.c.username,
            func.coalesce(cast(prizes.c.cents, Numeric(18, 2)) / _CENTS, 0).label("prize"),
        )
        .select_from(participants)
        .join(users, users.c.id == participants.c.member_key)
        .outerjoin(prizes, prizes.c.user_id == participants.c.member_key)
        .where(_OF_RACE)
        .order_by(participants.c.rank, participants.c.id)
        .limit(_ENTRIES)
        .subquery("first")
    )
    entry = func.jsonb_build_object(
        "user_id",
        first.c.user_id,
        "username",
        first.c.username,
        "rank",
        first.c.rank,
        "total_wager",
        _money(first.c.total_wager),
        "prize",
        _money(first.c.prize),
    )
    entries = select(func.jsonb_agg(aggregate_order_by(entry, first.c.rank, first.c.id))).scalar_subquery()
    all_of_race = (
        select(
            func.count().label("participants"),
            func.count(participants.c.rank).label("ranked"),
            func.coalesce(func.sum(participants.c.total_wager), 0).label("wagered"),
        )
        .where(_OF_RACE)
        .subquery("all_of_race")
    )
    metadata = func.jsonb_build_object(
        "title",
        races.c.title,
        "type",
        races.c.type,
        "min_wager",
        _money(races.c.min_wager),
        "prize_distribution",
        races.c.prize_distribution,
        "ranked",
        all_of_race.c.ranked,
        "paid",
        _money(_PAID),
        "unallocated",
        _money(_UNALLOCATED),
        "start_feed",
        _feed_of(races.c.start_date),
        "end_feed",
        _feed_of(races.c.end_date),
    )
    row = {
        "race_id": races.c.id,
        "month": _MONTH,
        "year": _YEAR,
        "prize_pool": races.c.prize_pool,
        "start_date": races.c.start_date,
        "end_date": races.c.end_date,
        "participants": func.coalesce(entries, cast(literal("[]", Text), JSONB)),
        "total_wagered": all_of_race.c.wagered,
        "participant_count": cast(all_of_race.c.participants, Text),
        "status": literal("completed", Text),
        "created_at": NOW,
        "metadata": metadata,
    }
    of_race = select(*row.values()).select_from(races).join(all_of_race, races.c.id == RACE_ID)
    return insert(historical_races).from_select([*row], of_race).returning(historical_races.c.id).cte("archived")


def _money(amount: Any) -> Any:  # noqa: ANN401 - any expression
    return cast(cast(amount, Numeric(18, 2)), Text)


def _feed_of(instant: Any) -> Any:  # noqa: ANN401 - any expression
    """Return JSON that identifies the raw feed of a boundary: its digest, and when it was requested."""
    return (
        select(
            func.jsonb_build_object(
                "sha256", feeds.c.sha256, "requested_at", func.to_char(feeds.c.requested_at, _RFC_3339)
            )
        )
        .join(race_boundaries, race_boundaries.c.feed_id == feeds.c.id)
        .where(race_boundaries.c.instant == instant)
        .scalar_subquery()
    )


def parameters(end: datetime, *, paid: int, unallocated: int, at_least: int) -> dict[str, object]:
    """Return what `archived` is bound to besides the race's id and `now`.

    Parameters
    ----------
    end: when the race ended; its UTC month files it.
    paid, unallocated: cents of the prize pool.
    at_least: as many participants are archived, in the order of their ranks.
    """
    return {
        "month": _MONTHS[end.month - 1],
        "year": str(end.year),
        "paid": Decimal(paid) / _CENTS,
        "unallocated": Decimal(unallocated) / _CENTS,
        "archived_entries": max(at_least, MOST_ENTRIES),
    }


FIRST_ENTRIES = func.jsonb_path_query_array(
    historical_races.c.participants, cast(literal(f"$[0 to {MOST_ENTRIES - 1}]", Text), JSONPATH), type_=JSONB
)
"""An expression for the first `MOST_ENTRIES` of the archived participants."""
DISQUALIFIED = func.array(
    select(participants.c.member_key)
    .where(_OF_RACE, participants.c.disqualified_at.is_not(None))
    .order_by(participants.c.member_key)
    .correlate(None)
    .scalar_subquery()
)
"""An expression for the ids of the members whom staff have disqualified from the race."""
_select_report = (
    select(
        races.c.id,
        races.c.settled_at,
        FIRST_ENTRIES.label("entries"),
        historical_races.c.participant_count,
        historical_races.c.metadata,
        DISQUALIFIED.label("disqualified"),
    )
    .outerjoin(historical_races, historical_races.c.race_id == races.c.id)
    .where(races.c.id == RACE_ID)
)


def report(connection: Connection, race_id: int) -> Report:
    """Return the report of a race that is settled. If the platform did not pay its prizes, it has no standings."""
    row = connection.execute(_select_report, {"race_id": race_id}).one()
    made: Mapping[str, Any] = row.metadata or {}
    return Report(
        race_id=row.id,
        settled_at=row.settled_at,
        standings=[{name: entry.get(key) for name, key in _REPORTED.items()} for entry in row.entries or ()],
        participants=int(row.participant_count or 0),
        ranked=made.get("ranked", 0),
        paid=None if row.metadata is None else Decimal(made["paid"]),
        unallocated=None if row.metadata is None else Decimal(made["unallocated"]),
        disqualified=row.disqualified,
    )


_REPORTED = {"user_id": "user_id", "rank": "rank", "score": "total_wager", "prize": "prize"}

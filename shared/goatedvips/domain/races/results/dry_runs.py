"""Dry runs: what a settlement of a race would give now. Nothing is written."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Integer, Row, Text, bindparam, cast, func, or_, select

from goatedvips.domain import access
from goatedvips.domain.access import Caller
from goatedvips.domain.races.race_statements import RACE_ID
from goatedvips.domain.races.results import archive, prizes
from goatedvips.domain.races.results.archive import MOST_ENTRIES, Report
from goatedvips.domain.races.scores import ranked, scored
from goatedvips.errors import NotFound, NotSettleable
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races
from goatedvips.models.wagers import wager_accounts

MOST_FALLS = 100
"""That one report lists."""

_CENTS = 100
_staff = access.staff()
_select_race = (
    select(
        races.c.id,
        races.c.start_date,
        races.c.settled_at,
        races.c.cancelled_at,
        races.c.prize_pool,
        cast(races.c.prize_distribution, Text).label("distribution"),
        archive.DISQUALIFIED.label("disqualified"),
    )
    .select_from(_staff)
    .join(races, races.c.id == RACE_ID)
)
_ranks = ranked(scored(races.c.id == RACE_ID)).cte("ranks")
_placed = select(
    _ranks.c.user_id,
    _ranks.c.rank,
    _ranks.c.score,
    _ranks.c.is_new,
    func.row_number().over(order_by=(_ranks.c.rank, _ranks.c.participant_id)).label("place"),
    func.count().over().label("participants"),
    func.count(_ranks.c.rank).over().label("ranked"),
).subquery("placed")
_select_ranks = (
    select(_placed)
    .where(or_(_placed.c.rank <= bindparam("paid_places", type_=Integer), _placed.c.place <= MOST_ENTRIES))
    .order_by(_placed.c.place)
)
_select_falls = (
    select(
        wager_accounts.c.user_id,
        wager_accounts.c.highest,
        wager_accounts.c.total_wager.label("total"),  # exact, as staff name it to accept the fall
    )
    .join(participants, participants.c.member_key == wager_accounts.c.user_id)
    .where(participants.c.race_id == RACE_ID, wager_accounts.c.total_wager < wager_accounts.c.highest)
    .order_by(wager_accounts.c.id)
    .limit(MOST_FALLS)
)


def dry_run(connection: Connection, caller: Caller, race_id: int, *, now: datetime) -> Report:
    """Return what a settlement of a race would give now; of a race that is settled, what it gave.

    Before the race has the feed of its end, the newest readings count, as in a settlement that is forced.

    Raises
    ------
    NotFound
    NotSettleable: it has not started or is cancelled, or its prizes cannot be computed.
    Unauthenticated, AccountSuspended, Forbidden
    """
    race = access.one_or_none(connection, _select_race, caller, {"race_id": race_id}, now=now, staff=True)
    if race is None:
        raise NotFound
    if race.cancelled_at is not None:
        raise NotSettleable("A cancelled race is not settled")
    if race.settled_at is not None:
        return archive.report(connection, race_id)
    if race.start_date > now:
        raise NotSettleable("The race has not started yet")
    return _computed(connection, race)


def _computed(connection: Connection, race: Row[Any]) -> Report:
    pool, percents = prizes.read_terms(race.prize_pool, race.distribution)
    given = {"race_id": race.id, "paid_places": len(percents)}
    rows = connection.execute(_select_ranks, given).all()
    ranks = [(row.user_id, row.rank) for row in rows if row.rank is not None]
    shares = prizes.share(race.id, pool, percents, ranks)
    cents = shares.cents_by_user
    return Report(
        race_id=race.id,
        settled_at=None,
        standings=[
            {
                "user_id": row.user_id,
                "rank": row.rank,
                "score": row.score,
                "prize": Decimal(cents.get(row.user_id, 0)) / _CENTS,
                "new": row.is_new,
            }
            for row in rows[:MOST_ENTRIES]
        ],
        participants=rows[0].participants if rows else 0,
        ranked=rows[0].ranked if rows else 0,
        paid=Decimal(pool - shares.unallocated) / _CENTS,
        unallocated=Decimal(shares.unallocated) / _CENTS,
        disqualified=race.disqualified,
        falls=[row._asdict() for row in connection.execute(_select_falls, given)],
    )

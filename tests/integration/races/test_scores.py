"""Scores and ranks: one select for boards, dry runs and settlements, on the readings as they are stored."""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.races.scores import ranked, scored
from goatedvips.models.accounts import users
from goatedvips.models.races import race_boundaries, wager_races
from goatedvips.models.wagers import wager_accounts
from tests.support.members import Member, Members
from tests.support.races import END, START, Races
from tests.support.readings import Readings

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def race(races: Races) -> int:
    return races.new(min_wager=Decimal(10))


def linked(members: Members, **columns: Any) -> tuple[Member, str]:
    uid = f"uid-{secrets.token_hex(6)}"
    return members.new(seeds=False, uid=uid, **columns), uid


def rows(database: sa.Engine, race_id: int) -> Mapping[int, Any]:
    statement = ranked(scored(wager_races.c.id == race_id))
    with database.connect() as connection:
        return {row.user_id: row for row in connection.execute(statement)}


def score(database: sa.Engine, race_id: int, member: Member) -> Decimal:
    return Decimal(rows(database, race_id)[member.id].score)


@pytest.fixture
def player(races: Races, members: Members, race: int) -> tuple[Member, str]:
    member, uid = linked(members)
    races.enter(race, member.id)
    return member, uid


def test_it_is_the_rise_of_the_highest_total_between_the_boundaries_cut_to_cents(
    database: sa.Engine, readings: Readings, race: int, player: tuple[Member, str]
) -> None:
    _, uid = player
    readings.feed(START - HOUR, {uid: "100.00000001"})
    readings.feed(START + MINUTE, {uid: "90"})  # the start's: its total has fallen
    readings.feed(START + HOUR, {uid: "150.5"})
    readings.feed(END - HOUR, {uid: "149"})
    readings.feed(END + MINUTE, {uid: "149.5"})  # the end's
    readings.feed(END + HOUR, {uid: "1000"})
    (row,) = rows(database, race).values()
    assert (row.base, row.end_total, row.is_new) == (Decimal("100.00000001"), Decimal("150.5"), False)
    assert (row.score, row.rank, row.unranked_reason) == (Decimal("50.49"), 1, None)
    assert (row.after, row.until) == (START + MINUTE, END + MINUTE)


def test_before_the_end_s_feed_it_follows_the_newest_reading(
    database: sa.Engine, readings: Readings, race: int, player: tuple[Member, str]
) -> None:
    member, uid = player
    assert score(database, race, member) == 0
    readings.feed(START - HOUR, {uid: "70"})
    assert score(database, race, member) == 0, "the start has no feed yet"
    readings.feed(START, {uid: "100"})
    readings.feed(START + HOUR, {uid: "120.129"})
    assert score(database, race, member) == Decimal("20.12")
    readings.feed(END, {uid: "130"}, is_whole=False)
    assert score(database, race, member) == 30
    readings.feed(END + MINUTE, {uid: "140"}, last_updated=END - MINUTE)
    assert score(database, race, member) == 40, "the feed says that it is older than the end"
    readings.feed(END + HOUR, {uid: "150"}, last_updated=END)
    readings.feed(END + DAY, {uid: "160"})
    assert score(database, race, member) == 50


def test_a_fixed_boundary_is_the_feed_whatever_comes_later(
    database: sa.Engine, readings: Readings, race: int, player: tuple[Member, str]
) -> None:
    member, uid = player
    readings.feed(START, {uid: "0"})
    fixed = readings.feed(END + HOUR, {uid: "50"})
    provisional = {"instant": END, "feed_id": readings.feed(END + DAY, {uid: "60"})}
    with database.begin() as connection:
        connection.execute(sa.insert(race_boundaries).values(provisional))
    assert score(database, race, member) == 50, "what is not fixed follows the feeds"
    with database.begin() as connection:
        connection.execute(sa.update(race_boundaries).values(feed_id=fixed, fixed_at=END + HOUR))
    readings.feed(END + MINUTE, {uid: "49"})
    assert score(database, race, member) == 50


def test_a_new_account_begins_at_its_first_total_less_week_or_month(
    database: sa.Engine, readings: Readings, members: Members, races: Races, race: int
) -> None:
    (week, week_uid), (month, month_uid), (seen, seen_uid) = (linked(members) for _ in range(3))
    for member in (week, month, seen):
        races.enter(race, member.id)
    readings.feed(START, {})
    readings.feed(
        START + HOUR, {week_uid: ("100", "40", "30"), month_uid: ("50", "10", "70"), seen_uid: ("100", "40", "30")}
    )
    with database.begin() as connection:
        is_seen = wager_accounts.c.uid == seen_uid
        connection.execute(sa.update(wager_accounts).where(is_seen).values(first_seen_at=START))
    readings.feed(END, {week_uid: "110", month_uid: "51", seen_uid: "110"})
    found = rows(database, race)
    assert {user_id: (row.base, row.score, row.is_new) for user_id, row in found.items()} == {
        week.id: (60, 50, True),
        month.id: (0, 51, True),
        seen.id: (100, 10, False),
    }


def test_a_stored_base_counts_as_long_as_the_account_is_the_member_s(
    database: sa.Engine, readings: Readings, races: Races, members: Members, race: int
) -> None:
    member, uid = linked(members)
    readings.feed(START, {uid: "100"})
    with database.connect() as connection:
        account_id = connection.execute(sa.select(wager_accounts.c.id).where(wager_accounts.c.uid == uid)).scalar_one()
    races.enter(race, member.id, account_id=account_id, base=Decimal(90), is_new=True, carried_over=Decimal("1.25"))
    readings.feed(END, {uid: "120"})
    (row,) = rows(database, race).values()
    assert (row.base, row.score, row.is_new) == (90, Decimal("31.25"), True)
    other = f"other-{uid}"
    readings.feed(START - HOUR, {other: "5"})
    readings.feed(END - HOUR, {other: "20"})
    with database.begin() as connection:
        connection.execute(sa.update(users).where(users.c.id == member.id).values(uid=other))
    (row,) = rows(database, race).values()
    assert (row.base, row.score, row.is_new) == (5, Decimal("16.25"), False)


@pytest.mark.parametrize(
    ("columns", "entered", "reason"),
    [
        ({"uid": None}, {}, "not_linked"),
        ({"is_staff": True}, {}, "staff"),
        ({"suspended_at": END}, {}, "suspended"),
        ({"erased_at": END}, {}, "erased"),
        ({}, {"disqualified_at": END}, "disqualified"),
        ({"excluded_permanently": True}, {}, "excluded"),
        ({"excluded_until": END + DAY, "excluded_since": END - MINUTE}, {}, "excluded"),
        ({"excluded_until": END + DAY, "excluded_since": END}, {}, None),
        ({"excluded_since": START}, {}, None),
    ],
)
def test_who_has_no_rank_and_why(  # noqa: PLR0913 - fixtures
    database: sa.Engine,
    readings: Readings,
    races: Races,
    members: Members,
    *,
    race: int,
    player: tuple[Member, str],
    columns: dict[str, Any],
    entered: dict[str, Any],
    reason: str | None,
) -> None:
    other, other_uid = player
    member = members.new(seeds=False, **{"uid": f"of-{other_uid}"} | columns)
    races.enter(race, member.id, **entered)
    readings.feed(START, {f"of-{other_uid}": "0", other_uid: "0"})
    readings.feed(END, {f"of-{other_uid}": "100", other_uid: "10"})
    found = rows(database, race)
    assert (found[member.id].unranked_reason, found[member.id].rank) == (reason, None if reason else 1)
    assert found[other.id].rank == (1 if reason else 2), "places move up"


def test_no_wager_and_one_below_the_minimum_are_unranked(
    database: sa.Engine, readings: Readings, races: Races, members: Members, race: int
) -> None:
    (none, none_uid), (little, little_uid), (enough, enough_uid) = (linked(members) for _ in range(3))
    for member in (none, little, enough):
        races.enter(race, member.id)
    readings.feed(START, {none_uid: "5", little_uid: "0", enough_uid: "0"})
    readings.feed(END, {none_uid: "5.009", little_uid: "9.999", enough_uid: "10"})
    reasons = {user_id: row.unranked_reason for user_id, row in rows(database, race).items()}
    assert reasons == {none.id: "no_wager", little.id: "below_min_wager", enough.id: None}


@pytest.mark.parametrize("number", range(5))
def test_ranks_are_those_of_a_plain_count(
    database: sa.Engine, readings: Readings, races: Races, members: Members, number: int
) -> None:
    chance = Random(number)  # noqa: S311 - it is no secret
    race = races.new(min_wager=Decimal(2))
    uids = {}
    for _ in range(30):
        member, uid = linked(members)
        uids[uid] = member.id
        races.enter(race, member.id)
    readings.feed(START, dict.fromkeys(uids, "0"))
    totals = {uid: str(Decimal(chance.randrange(0, 8_000)) / 1_000) for uid in uids}
    readings.feed(END, totals)
    scores = {user_id: Decimal(totals[uid]).quantize(Decimal("0.01"), "ROUND_FLOOR") for uid, user_id in uids.items()}
    qualified = [value for value in scores.values() if value >= 2]
    expected = {
        user_id: 1 + sum(other > value for other in qualified) if value >= 2 else None
        for user_id, value in scores.items()
    }
    assert {user_id: row.rank for user_id, row in rows(database, race).items()} == expected

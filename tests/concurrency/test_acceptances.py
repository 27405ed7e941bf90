"""Staff accept a lower total while a feed is ingested, a race is settled, or somebody else accepts it too."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.access import Caller
from goatedvips.domain.wagers import acceptance
from goatedvips.domain.wagers.acceptance import Accepted
from goatedvips.domain.wagers.feed import FeedPage, parse_feed
from goatedvips.domain.wagers.ingest import IngestReport, ingest_feed
from goatedvips.errors import Conflict
from goatedvips.models.races import wager_races
from tests.concurrency.together import at_once_behind, run_behind
from tests.support.ingesting import Ingesting, body, key_of
from tests.support.members import Member, Members
from tests.support.races import Races

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
STEP = timedelta(minutes=10)
NOW = START + 3 * STEP


@pytest.fixture
def ingesting(database: sa.Engine) -> Ingesting:
    made = Ingesting(database)
    made.remove_all()
    return made


@pytest.fixture
def racer(ingesting: Ingesting, races: Races, members: Members) -> tuple[int, Member, str]:
    """A race, and a member with the score 50 whose total has fallen from 150 to 60."""
    uid = secrets.token_hex(8)
    race_id, member = races.new(start_date=START, end_date=START + 99 * STEP), members.new(uid=uid)
    races.enter(race_id, member.id)
    for step, total in enumerate(("100", "150", "60")):
        ingesting.ingest(START + step * STEP, {uid: total})
    return race_id, member, uid


def accepting(members: Members, uid: str, total: int) -> Callable[[sa.Connection], Accepted]:
    staff = members.staff()
    caller = Caller(staff.id, staff.session_id, "test")
    return partial(acceptance.accept_fall, caller=caller, uid=uid, total=Decimal(total), reason="It is right.", now=NOW)


def ingest(uid: str, total: str) -> Callable[[sa.Connection], IngestReport]:
    feed = parse_feed([FeedPage(1, 200, body({uid: total}))])
    return partial(ingest_feed, now=NOW, key=key_of(NOW), sha256="00", feed=feed)


def test_an_acceptance_waits_for_an_ingest_and_sees_its_reading(
    direct: str, members: Members, ingesting: Ingesting, racer: Any, database: sa.Engine
) -> None:
    race_id, member, uid = racer
    result = run_behind(database, direct, ingest(uid, "70"), accepting(members, uid, 60))
    assert isinstance(result, Conflict), result
    part = ingesting.part(race_id, member.id)
    assert (part.total_wager, part.base, ingesting.account(uid).highest) == (50, 100, 150)


def test_it_also_waits_for_an_ingest_that_only_finds_the_base_of_a_new_participant(
    direct: str, members: Members, races: Races, ingesting: Ingesting, racer: Any, database: sa.Engine
) -> None:
    """Neither the account nor a race of its known participants is locked by that ingest."""
    old_race, member, uid = racer
    with database.connect() as connection:
        connection.execute(sa.update(wager_races).where(wager_races.c.id == old_race).values(cancelled_at=START))
    race_id = races.new(start_date=START, end_date=START + 99 * STEP)
    races.enter(race_id, member.id)
    result = run_behind(database, direct, ingest(uid, "60"), accepting(members, uid, 60))
    assert isinstance(result, Accepted), result
    ingesting.ingest(NOW + STEP, {uid: "61"})
    part = ingesting.part(race_id, member.id)
    assert (part.total_wager, part.base) == (51, 10)


def test_an_ingest_waits_for_an_acceptance_and_counts_from_it_on(
    direct: str, members: Members, ingesting: Ingesting, racer: Any, database: sa.Engine
) -> None:
    race_id, member, uid = racer
    result = run_behind(database, direct, accepting(members, uid, 60), ingest(uid, "70"))
    assert isinstance(result, IngestReport), result
    part = ingesting.part(race_id, member.id)
    assert (part.total_wager, part.base, ingesting.account(uid).highest) == (60, 10, 70)


def test_a_race_that_is_settled_meanwhile_keeps_its_base(
    direct: str, members: Members, ingesting: Ingesting, racer: Any, database: sa.Engine
) -> None:
    race_id, member, uid = racer
    settle = sa.update(wager_races).where(wager_races.c.id == race_id).values(settled_at=NOW)
    result = run_behind(database, direct, lambda connection: connection.execute(settle), accepting(members, uid, 60))
    assert isinstance(result, Accepted), result
    assert (ingesting.part(race_id, member.id).base, ingesting.account(uid).highest) == (100, 60)


def test_of_several_acceptances_at_once_one_takes_effect(
    direct: str, members: Members, ingesting: Ingesting, racer: Any, database: sa.Engine
) -> None:
    race_id, member, uid = racer
    row = sa.select(wager_races.c.id).where(wager_races.c.id == race_id)
    results = at_once_behind(database, row, direct, [accepting(members, uid, 60) for _ in range(5)])
    assert sorted(type(result).__name__ for result in results) == ["Accepted"] + ["Conflict"] * 4, results
    part = ingesting.part(race_id, member.id)
    assert (part.total_wager, part.base, ingesting.account(uid).highest) == (50, 10, 60)

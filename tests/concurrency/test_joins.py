"""Concurrent requests give a member one participation; concurrent runs start and repeat each race once."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from goatedvips.domain.access import Caller
from goatedvips.domain.races import participation, recurrence
from goatedvips.domain.races.participation import Participation
from goatedvips.models.races import wager_race_participants, wager_races
from tests.concurrency.together import at_once, at_once_behind
from tests.support.members import Member, Members
from tests.support.races import Races

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def race_ids(races: Races) -> list[int]:
    """Twenty races that begin now and repeat. All others are removed."""
    races.remove_all()
    return [races.new(start_date=NOW, end_date=NOW + timedelta(days=7), time_zone="UTC") for _ in range(20)]


def join_at_once(database: sa.Engine, url: str, joining: list[Member], race_id: int) -> list[Participation]:
    callers = [Caller(member.id, member.session_id, "test") for member in joining]
    works = [partial(participation.join, caller=caller, race_id=race_id, now=NOW) for caller in callers]
    row = sa.select(wager_races.c.id).where(
        wager_races.c.id == race_id
    )  # locked by the foreign key of each new participation
    results = at_once_behind(database, row, url, works)
    assert all(isinstance(result, Participation) for result in results), results
    return [result for result in results if isinstance(result, Participation)]


def test_fifty_concurrent_joins_of_one_member_give_one_participation(
    direct: str, members: Members, race_ids: list[int], database: sa.Engine
) -> None:
    results = join_at_once(database, direct, [members.new(seeds=False)] * 50, race_ids[0])
    assert Counter(result.created for result in results) == {True: 1, False: 49}
    assert len({result.joined_at for result in results}) == 1
    with database.connect() as connection:
        assert len(connection.execute(sa.select(wager_race_participants)).all()) == 1


def test_a_hundred_members_join_concurrently(
    patient: str, members: Members, race_ids: list[int], database: sa.Engine
) -> None:
    joining = [members.new(seeds=False) for _ in range(100)]
    results = join_at_once(database, patient, joining, race_ids[0])
    assert all(result.created for result in results)
    with database.connect() as connection:
        found = connection.scalars(sa.select(wager_race_participants.c.member_key)).all()
    assert sorted(found) == sorted(member.id for member in joining)


def test_eight_concurrent_runs_start_and_repeat_every_race_once(
    direct: str, race_ids: list[int], database: sa.Engine
) -> None:
    results = at_once(direct, [partial(recurrence.advance, legacy_app=False, now=NOW)] * 8)
    runs = [result for result in results if isinstance(result, recurrence.Advance)]
    assert len(runs) == 8, results
    assert (sum(run.started for run in runs), sum(run.created for run in runs)) == (20, 20)
    with database.connect() as connection:
        rows = connection.execute(sa.select(wager_races.c.follows_id, wager_races.c.status)).all()
    assert sorted(row.follows_id for row in rows if row.follows_id) == sorted(race_ids)
    assert Counter(row.status for row in rows) == {"live": 20, "upcoming": 20}

"""Feeds that are ingested at once, and links that are decided meanwhile."""

import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
import sqlalchemy as sa

from goatedvips import db
from goatedvips.domain.wagers.feed import FeedPage, parse_feed
from goatedvips.domain.wagers.ingest import IngestReport, ingest_feed
from goatedvips.models.accounts import users
from tests.concurrency.together import at_once
from tests.support.ingesting import Figures, Ingesting, body, key_of
from tests.support.members import Members
from tests.support.races import Races

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
STEP = timedelta(minutes=10)
OTHERS: dict[str, Figures] = {f"other {number}": "1" for number in range(20)}


@pytest.fixture
def ingesting(database: sa.Engine) -> Ingesting:
    made = Ingesting(database)
    made.remove_all()
    return made


def ingest(requested_at: datetime, entries: Mapping[str, Figures]) -> Callable[[sa.Connection], IngestReport]:
    feed = parse_feed([FeedPage(1, 200, body(entries))])
    return partial(ingest_feed, now=requested_at, key=key_of(requested_at), sha256="", feed=feed)


def test_one_of_eight_runs_for_a_feed_ingests_it(ingesting: Ingesting, direct: str) -> None:
    ingesting.ingest(START, OTHERS)
    results = at_once(direct, [ingest(START + STEP, OTHERS | {"uid": "5"})] * 8)
    assert Counter(isinstance(result, IngestReport) and result.is_new for result in results) == {True: 1, False: 7}
    assert all(isinstance(result, IngestReport) for result in results), results
    assert ingesting.readings("uid") == [(START + STEP, 5)]


@pytest.mark.parametrize("attempt", range(3))
def test_feeds_at_once_give_what_they_give_one_after_the_other(
    ingesting: Ingesting, direct: str, members: Members, database: sa.Engine, attempt: int
) -> None:
    del attempt
    uid = secrets.token_hex(8)
    member = members.new(seeds=False, uid=uid)
    races = Races(database)
    race = races.new(start_date=START, end_date=START + timedelta(days=1), min_wager=Decimal(1))
    races.enter(race, member.id)
    totals = {START + number * STEP: str(100 + 10 * number) for number in range(-1, 6)}
    results = at_once(direct, [ingest(at, OTHERS | {uid: total}) for at, total in totals.items()])
    assert all(isinstance(result, IngestReport) and result.is_new for result in results), results
    assert [total for _, total in ingesting.readings(uid)] == [Decimal(total) for total in totals.values()]
    assert ingesting.account(uid).total_wager == 150
    part = ingesting.part(race, member.id)
    assert (part.base, part.total_wager, part.rank) == (100, 50, 1)


def test_an_account_that_appears_while_it_is_linked_is_linked_at_its_next_change(
    ingesting: Ingesting, members: Members, database: sa.Engine
) -> None:
    uid = secrets.token_hex(8)
    member = members.new(seeds=False)
    with database.connect().execution_options(isolation_level="READ COMMITTED") as linking, linking.begin():
        linking.execute(sa.update(users).where(users.c.id == member.id).values(uid=uid))
        ingesting.ingest(START, OTHERS | {uid: "5"})
    assert ingesting.account(uid).user_id is None, "neither saw the other"
    ingesting.ingest(START + STEP, OTHERS | {uid: "6"})
    assert ingesting.account(uid).user_id == member.id


def test_a_run_that_is_rolled_back_leaves_nothing(ingesting: Ingesting, direct: str) -> None:
    ingesting.ingest(START, OTHERS)
    before = ingesting.account("other 1")
    engine = db.make_engine(direct)
    with engine.connect() as connection:
        ingest(START + STEP, {**dict.fromkeys(OTHERS, "7"), "new": "1"})(connection)
        connection.rollback()
    engine.dispose()
    assert ingesting.account("other 1") == before
    assert (ingesting.account("new"), ingesting.feed(START + STEP)) == (None, None)
    assert ingesting.ingest(START + STEP, OTHERS).readings == 0

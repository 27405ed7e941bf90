"""What is accepted of the feed, and the feeds that are ingested before and after."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.functions import Functions
from tests.support.ingesting import Figures, Ingesting
from tests.support.members import Members
from tests.support.races import Races

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
STEP = timedelta(minutes=10)
FILLING: dict[str, Figures] = {f"filling {n}": "0" for n in range(20)}


@pytest.fixture
def ingesting(database: sa.Engine) -> Ingesting:
    made = Ingesting(database)
    made.remove_all()
    return made


@pytest.fixture
def uid() -> str:
    return secrets.token_hex(8)


@pytest.fixture
def accept(functions: Functions, members: Members) -> Callable[..., int]:
    staff = members.staff()

    def accept(now: datetime, **body: str) -> int:
        return functions.call("accept_feed", by=staff, now=now, body={"reason": "It is right."} | body).status

    return accept


def part(ingesting: Ingesting, race_id: int, user_id: int) -> tuple[Any, Any, int | None]:
    row = ingesting.part(race_id, user_id)
    return row.total_wager, row.base, row.rank


def test_the_next_wagers_count_from_the_accepted_total_on(
    ingesting: Ingesting, races: Races, members: Members, accept: Any, uid: str
) -> None:
    race_id, member = races.new(start_date=START, end_date=START + 99 * STEP), members.new(uid=uid)
    races.enter(race_id, member.id)
    for step, total in enumerate(("100", "150", "60")):
        ingesting.ingest(START + step * STEP, FILLING | {uid: total})
    assert part(ingesting, race_id, member.id) == (50, 100, 1)
    assert accept(START + 2 * STEP, uid=uid, total="60") == 200
    assert part(ingesting, race_id, member.id) == (50, 10, 1)
    for step, (total, score) in enumerate((("60", 50), ("75.5", Decimal("65.5")), ("70", Decimal("65.5"))), 3):
        ingesting.ingest(START + step * STEP, FILLING | {uid: total})
        assert part(ingesting, race_id, member.id)[0] == score


def test_without_it_they_count_once_the_highest_total_is_passed(
    ingesting: Ingesting, races: Races, members: Members, uid: str
) -> None:
    race_id, member = races.new(start_date=START, end_date=START + 99 * STEP), members.new(uid=uid)
    races.enter(race_id, member.id)
    for step, (total, score) in enumerate((("100", 0), ("150", 50), ("60", 50), ("75.5", 50), ("151", 51))):
        ingesting.ingest(START + step * STEP, FILLING | {uid: total})
        assert part(ingesting, race_id, member.id)[0] == score


def test_an_earlier_reading_that_comes_later_does_not_count(
    ingesting: Ingesting, races: Races, members: Members, accept: Any, uid: str
) -> None:
    race_id, member = races.new(start_date=START, end_date=START + 99 * STEP), members.new(uid=uid)
    races.enter(race_id, member.id)
    for step, total in ((0, "100"), (2, "150"), (4, "60")):
        ingesting.ingest(START + step * STEP, FILLING | {uid: total})
    assert accept(START + 4 * STEP, uid=uid, total="60") == 200
    for step, total in ((3, "500"), (1, "400")):
        ingesting.ingest(START + step * STEP, FILLING | {uid: total}, now=START + 5 * STEP)
        assert part(ingesting, race_id, member.id)[0] == 50
    assert ingesting.account(uid).highest == 60
    assert [total for _, total in ingesting.readings(uid)] == [100, 150, 60]


@pytest.mark.parametrize(("requested", "highest", "score"), [(3, 60, 50), (4, 60, 50), (5, 150, 140)])
def test_a_higher_reading_from_before_the_last_feed_does_not_count(
    ingesting: Ingesting,
    races: Races,
    members: Members,
    accept: Any,
    uid: str,
    requested: int,
    highest: int,
    score: int,
) -> None:
    race_id, member = races.new(start_date=START, end_date=START + 99 * STEP), members.new(uid=uid)
    races.enter(race_id, member.id)
    for step, total in ((0, "100"), (1, "150"), (2, "60"), (4, "60")):
        ingesting.ingest(START + step * STEP, FILLING | {uid: total})
    assert accept(START + 4 * STEP, uid=uid, total="60") == 200
    ingesting.ingest(START + 6 * STEP, FILLING | {uid: "60"})
    ingesting.ingest(START + requested * STEP, FILLING | {uid: "150"}, tag="11111111")
    assert (ingesting.account(uid).highest, part(ingesting, race_id, member.id)[0]) == (highest, score)


def test_another_reading_since_is_refused(ingesting: Ingesting, accept: Any, uid: str) -> None:
    for step, total in enumerate(("100", "60", "61")):
        ingesting.ingest(START + step * STEP, FILLING | {uid: total})
    assert accept(START + 3 * STEP, uid=uid, total="60") == 409
    assert accept(START + 3 * STEP, uid=uid, total="61") == 200


def test_who_joins_or_links_after_the_fall_has_the_same_base(
    ingesting: Ingesting, races: Races, members: Members, accept: Any, uid: str
) -> None:
    race_id, member = races.new(start_date=START, end_date=START + 99 * STEP), members.new()
    for step, total in enumerate(("100", "150", "60")):
        ingesting.ingest(START + step * STEP, FILLING | {uid: total})
    assert accept(START + 2 * STEP, uid=uid, total="60") == 200
    races.enter(race_id, member.id)
    members.change(member, uid=uid)
    ingesting.ingest(START + 3 * STEP, FILLING | {uid: "61"})
    assert part(ingesting, race_id, member.id) == (51, 10, 1)


def test_feeds_after_an_accepted_drop_are_whole_and_it_is_a_boundary(
    ingesting: Ingesting, races: Races, members: Members, accept: Any, uid: str
) -> None:
    race_id, member = races.new(start_date=START + STEP, end_date=START + 99 * STEP), members.new(uid=uid)
    races.enter(race_id, member.id)
    few = dict(list(FILLING.items())[:9])
    assert ingesting.ingest(START, FILLING | {uid: "100"}).is_whole
    dropped = ingesting.ingest(START + STEP, few | {uid: "110"})
    assert (dropped.is_whole, dropped.problem) == (False, "uids_missing")
    assert ingesting.ingest(START + 2 * STEP, few | {uid: "120"}).problem == "uids_missing"
    assert accept(START + 2 * STEP) == 200
    assert ingesting.ingest(START + 3 * STEP, few | {uid: "130"}).is_whole
    assert part(ingesting, race_id, member.id) == (10, 120, 1)

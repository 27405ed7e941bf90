"""Scores and ranks of races, as ingest writes them."""

import base64
import gzip
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.races import wager_races
from goatedvips.models.wagers import wager_readings
from tests.support.functions import Functions
from tests.support.ingesting import Figures, Ingesting
from tests.support.members import Member, Members
from tests.support.races import Races

START, END = datetime(2026, 11, 28, 12, tzinfo=UTC), datetime(2026, 11, 29, 12, tzinfo=UTC)
STEP = timedelta(minutes=10)
FILLING: dict[str, Figures] = {f"filling {n}": "0" for n in range(20)}


@pytest.fixture
def ingesting(database: sa.Engine) -> Ingesting:
    made = Ingesting(database)
    made.remove_all()
    return made


@pytest.fixture
def races(database: sa.Engine) -> Races:
    return Races(database)


@pytest.fixture
def race(ingesting: Ingesting, races: Races) -> int:
    return races.new(start_date=START, end_date=END, status="live", min_wager=Decimal(10))


@pytest.fixture
def join(members: Members, races: Races, race: int) -> Callable[..., Member]:
    def join(uid: str, **columns: Any) -> Member:
        member = members.new(seeds=False, uid=uid)
        if columns:
            members.change(member, **columns)
        races.enter(race, member.id)
        return member

    return join


def standing(ingesting: Ingesting, race: int, *people: Member) -> list[tuple[str, int | None]]:
    parts = (ingesting.part(race, member.id) for member in people)
    return [(str(part.total_wager), part.rank) for part in parts]


def uids(count: int) -> list[str]:
    return [secrets.token_hex(8) for _ in range(count)]


def test_scores_are_cut_to_cents_and_ties_share_a_rank(
    ingesting: Ingesting, race: int, join: Callable[..., Member]
) -> None:
    names = uids(5)
    people = [join(uid) for uid in names]
    ingesting.ingest(START, FILLING | dict.fromkeys(names, "100"))
    assert standing(ingesting, race, *people) == [("0.00", None)] * 5
    totals = ("150.009", "150", "149.999", "110", "109.999")
    ingesting.ingest(START + STEP, FILLING | dict(zip(names, totals, strict=True)))
    assert standing(ingesting, race, *people) == [
        ("50.00", 1),
        ("50.00", 1),
        ("49.99", 3),
        ("10.00", 4),
        ("9.99", None),
    ]


def test_marks_leave_out_of_the_ranking(ingesting: Ingesting, race: int, join: Callable[..., Member]) -> None:
    names = uids(5)
    marks: list[dict[str, Any]] = [
        {"is_admin": True},
        {"suspended_at": START},
        {"excluded_permanently": True, "excluded_since": START},
        {"excluded_permanently": True, "excluded_since": END},
        {},
    ]
    people = [join(uid, **mark) for uid, mark in zip(names, marks, strict=True)]
    ingesting.ingest(START, FILLING | dict.fromkeys(names, "100"))
    ingesting.ingest(START + STEP, FILLING | dict.fromkeys(names, "200"))
    assert [rank for _, rank in standing(ingesting, race, *people)] == [None, None, None, 1, 1]


def test_the_feed_of_the_start_is_the_base_and_totals_before_it_do_not_count(
    ingesting: Ingesting, race: int, join: Callable[..., Member]
) -> None:
    (uid,) = uids(1)
    member = join(uid)
    ingesting.ingest(START - STEP, FILLING | {uid: "80"})
    assert standing(ingesting, race, member) == [("0.00", None)]
    ingesting.ingest(START + STEP, FILLING | {uid: "100"})
    assert standing(ingesting, race, member) == [("0.00", None)]
    ingesting.ingest(START + 2 * STEP, FILLING | {uid: "130"})
    assert standing(ingesting, race, member) == [("30.00", 1)]
    ingesting.ingest(START, FILLING | {uid: "90"})
    assert standing(ingesting, race, member) == [("40.00", 1)], "a late feed is the start's now"
    assert ingesting.part(race, member.id).base == 90


def test_a_late_higher_reading_from_before_the_start_raises_the_base(
    ingesting: Ingesting, race: int, join: Callable[..., Member]
) -> None:
    (uid,) = uids(1)
    member = join(uid)
    ingesting.ingest(START, FILLING | {uid: "100"})
    ingesting.ingest(START + STEP, FILLING | {uid: "150"})
    ingesting.ingest(START - STEP, FILLING | {uid: "120"})
    assert standing(ingesting, race, member) == [("30.00", 1)]


def test_a_fall_changes_no_score(ingesting: Ingesting, race: int, join: Callable[..., Member]) -> None:
    (uid,) = uids(1)
    member = join(uid)
    for step, total in enumerate(("100", "150", "120", "155")):
        ingesting.ingest(START + step * STEP, FILLING | {uid: total})
        if total == "120":
            assert standing(ingesting, race, member) == [("50.00", 1)]
    assert standing(ingesting, race, member) == [("55.00", 1)]


@pytest.mark.parametrize(
    ("seen_by", "first", "score", "is_new"),
    [
        ("nothing", ("100", "5", "30", "20"), "30.00", True),
        ("nothing", ("100", "5", "300", "20"), "100.00", True),
        ("a bad entry", ("100", "5", "30", "20"), "0.00", False),
    ],
)
def test_an_account_that_appears_after_the_start_begins_before_its_own_month(
    ingesting: Ingesting,
    race: int,
    join: Callable[..., Member],
    seen_by: str,
    first: Figures,
    score: str,
    *,
    is_new: bool,
) -> None:
    (uid,) = uids(1)
    member = join(uid)
    ingesting.ingest(START, FILLING, bad=[] if seen_by == "nothing" else [uid])
    ingesting.ingest(START + STEP, FILLING | {uid: first})
    part = ingesting.part(race, member.id)
    assert (str(part.total_wager), part.is_new) == (score, is_new)


def test_a_member_who_changes_the_account_is_scored_by_the_new_one(
    ingesting: Ingesting, race: int, members: Members, join: Callable[..., Member]
) -> None:
    old, new = uids(2)
    member = join(old)
    ingesting.ingest(START, FILLING | {old: "100", new: "1000"})
    ingesting.ingest(START + STEP, FILLING | {old: "150", new: "1020"})
    assert standing(ingesting, race, member) == [("50.00", 1)]
    members.change(member, uid=new)
    ingesting.ingest(START + 2 * STEP, FILLING | {old: "150", new: "1025"})
    assert standing(ingesting, race, member) == [("25.00", 1)]
    members.change(member, uid=None)
    ingesting.ingest(START + 3 * STEP, FILLING | {old: "150", new: "1030"})
    assert standing(ingesting, race, member) == [("0.00", None)]


def test_the_end_s_feed_is_the_last_that_counts(
    ingesting: Ingesting, race: int, join: Callable[..., Member], races: Races
) -> None:
    (uid,) = uids(1)
    member = join(uid)
    ingesting.ingest(START, FILLING | {uid: "100"})
    ingesting.ingest(END, FILLING | {uid: "150"}, totalUsers=3)
    assert standing(ingesting, race, member) == [("50.00", 1)], "it is not whole, but was read before the end's feed"
    ingesting.ingest(END + STEP, FILLING | {uid: "160"})
    ingesting.ingest(END + 2 * STEP, FILLING | {uid: "999"})
    assert standing(ingesting, race, member) == [("60.00", 1)]
    assert races.row(race).board_feed_id == ingesting.feed(END + STEP).id
    ingesting.ingest(END + timedelta(seconds=1), FILLING | {uid: "155"})
    assert standing(ingesting, race, member) == [("55.00", 1)]


def test_a_settled_or_cancelled_race_does_not_change(
    ingesting: Ingesting, race: int, join: Callable[..., Member]
) -> None:
    (uid,) = uids(1)
    member = join(uid)
    ingesting.ingest(START, FILLING | {uid: "100"})
    ingesting.ingest(END, FILLING | {uid: "150"})
    for mark in ("settled_at", "cancelled_at"):
        with ingesting.database.connect() as connection:
            connection.execute(sa.update(wager_races).values(settled_at=None, cancelled_at=None))
            connection.execute(sa.update(wager_races).values({mark: END}))
        late = START + timedelta(minutes=2 if mark == "settled_at" else 3)
        ingesting.ingest(late, FILLING | {uid: "999"})
        assert standing(ingesting, race, member) == [("50.00", 1)]


def test_what_the_legacy_application_counted_is_carried_over(
    ingesting: Ingesting, race: int, races: Races, members: Members
) -> None:
    (uid,) = uids(1)
    member = members.new(seeds=False, uid=uid)
    races.enter(race, member.id, total_wager=Decimal(40), carried_over=Decimal(40))
    ingesting.ingest(START + STEP, FILLING | {uid: "100"})
    ingesting.ingest(START + 2 * STEP, FILLING | {uid: "101.239"})
    assert standing(ingesting, race, member) == [("41.23", 1)]


def test_a_member_sees_and_exports_how_their_score_has_risen_so_far(
    ingesting: Ingesting, race: int, join: Callable[..., Member], functions: Functions
) -> None:
    uid, other = uids(2)
    member, unread = join(uid), join(other)
    for step, total in enumerate(("100", "120.5", "110", "130.009")):
        ingesting.ingest(START + step * STEP, FILLING | {uid: total})
    late = START + 9 * STEP  # a reading that the ranks do not come from yet
    with ingesting.database.connect() as connection:
        connection.execute(
            sa.insert(wager_readings).values(
                account_id=ingesting.account(uid).id, requested_at=late, feed_id=1, total=500
            )
        )
    steps = enumerate(("20.50", "20.50", "30.00"), 1)
    risen = [{"at": f"2026-11-28T12:{10 * step}:00Z", "total": total} for step, total in steps]
    for who, history in ((member, risen), (unread, None)):
        path, now = f"/v1/races/{race}/standing", START + 4 * STEP
        assert functions.call("get_standing", by=who, path=path, now=now).json["wager_history"] == (history or [])
        document = json.loads(gzip.decompress(base64.b64decode(functions.call("export_me", by=who, now=now).text)))
        (line,) = document["wager_race_participants"]
        assert (line["wager_history"], line["wager_history_so_far"]) == (None, history)

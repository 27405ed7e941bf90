"""The reference computation of races, on cases that are small enough to be worked out by hand."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.simulations.reference import Participant, Person, Race, Reports, Result, cents_of_places, pay, read_pages

START = datetime(2026, 6, 1, tzinfo=UTC)
END = datetime(2026, 6, 8, tzinfo=UTC)
NEXT_END = datetime(2026, 6, 15, tzinfo=UTC)
LATER = datetime(2026, 7, 1, tzinfo=UTC)
BEFORE, MINUTE, HOUR = START - timedelta(hours=1), timedelta(minutes=1), timedelta(hours=1)

type Figures = str | tuple[str, str, str]
"""The lifetime total, or that and the totals of the week and the month."""


def body(accounts: dict[str, Figures], **metadata: object) -> str:
    entries = []
    for uid, figures in accounts.items():
        total, week, month = (figures, "0", "0") if isinstance(figures, str) else figures
        entries.append({"uid": uid, "wagered": {"all_time": total, "this_week": week, "this_month": month}})
    return json.dumps({"success": True, "data": entries, "metadata": metadata})


def report(
    reports: Reports, at: datetime, late: timedelta = timedelta(), metadata: Any = None, **accounts: Figures
) -> str:
    """Report accounts at an instant, ingested some time later, and return the key."""
    key = f"feed/{at:%Y%m%dT%H%M%S}"
    reports.ingest(key, at, [(200, body(accounts, **metadata or {}))], ingested_at=at + late)
    return key


def race(*user_ids: int, start: datetime = START, end: datetime = END, **terms: Any) -> Race:
    given: dict[str, Any] = {
        "pool": Decimal(100),
        "min_wager": Decimal(0),
        "percents": [Decimal(50), Decimal(30), Decimal(20)],
    } | terms
    return Race(7, start, end, participants={user_id: Participant() for user_id in user_ids}, **given)


PEOPLE = {1: Person("a"), 2: Person("b"), 3: Person("c")}


def settled(reports: Reports, of: Race, people: dict[int, Person] | None = None, **how: Any) -> Result:
    result = reports.settle(of, people or PEOPLE, **{"now": LATER} | how)
    assert result is not None
    return result


def scores(result: Result) -> dict[int, str]:
    return {user_id: str(standing.score) for user_id, standing in result.standings.items()}


def ranks(result: Result) -> dict[int, int | None]:
    return {user_id: standing.rank for user_id, standing in result.standings.items()}


def prizes(result: Result) -> dict[int, str]:
    return {user_id: str(standing.prize) for user_id, standing in result.standings.items() if standing.prize}


def test_a_hundred_dollars_and_a_cent_with_a_tie_for_the_first_place() -> None:
    reports = Reports()
    report(reports, START, a="10", b="20", c="30")
    report(reports, END, a="110", b="120", c="35")
    result = settled(reports, race(1, 2, 3, pool=Decimal("100.01")))
    assert ranks(result) == {1: 1, 2: 1, 3: 3}
    assert sorted(prizes(result).values(), reverse=True) == ["40.01", "40.00", "20.00"]
    assert result.standings[3].prize == Decimal("20.00")
    assert result.unallocated == 0


def test_the_cent_left_over_by_a_tie_goes_by_the_digest_of_race_and_user() -> None:
    # printf 7:1 | sha256sum; printf 7:2 | sha256sum
    paid = pay(race(1, 2, pool=Decimal("100.01")), {1: 1, 2: 1})
    assert paid == {1: Decimal("40.00"), 2: Decimal("40.01")}


@pytest.mark.parametrize(
    ("pool", "percents", "cents"),
    [
        ("100.01", ["50", "30", "20"], [5001, 3000, 2000]),
        ("0.01", ["50", "50"], [1, 0]),  # equal remainders: to the better place
        ("1.00", ["33.33", "33.33", "33.34"], [33, 33, 34]),
        ("0.10", ["33.33", "33.33", "33.33"], [3, 3, 3]),  # 99.99 % of ten cents: nine
        ("100.00", ["0.01"], [1]),
        ("0.99", ["0.5", "0.5"], [0, 0]),
    ],
)
def test_cents_are_fixed_for_each_place(pool: str, percents: list[str], cents: list[int]) -> None:
    assert cents_of_places(Decimal(pool), [Decimal(percent) for percent in percents]) == cents


@pytest.mark.parametrize(
    ("ranks", "paid"),
    [
        ({}, {}),
        ({1: 1}, {1: "50.00"}),
        ({1: 1, 2: 2}, {1: "50.00", 2: "30.00"}),
        ({1: 1, 2: 2, 3: 3, 4: 3}, {1: "50.00", 2: "30.00", 3: "10.00", 4: "10.00"}),  # over the last paid place
        ({1: 1, 2: 2, 3: 3, 4: 4}, {1: "50.00", 2: "30.00", 3: "20.00"}),
    ],
)
def test_the_tied_share_the_paid_places_that_they_occupy(ranks: dict[int, int], paid: dict[int, str]) -> None:
    assert {user: str(prize) for user, prize in pay(race(), ranks).items()} == paid


def test_the_base_is_the_highest_total_up_to_the_start_and_the_score_is_cut_to_cents() -> None:
    reports = Reports()
    report(reports, BEFORE, a="500")
    report(reports, START, a="400")  # a fall
    report(reports, END - HOUR, a="600.129")
    report(reports, END, a="550")
    report(reports, END + HOUR, a="9000")
    assert scores(settled(reports, race(1))) == {1: "100.12"}


def test_a_newcomer_begins_at_the_first_total_less_week_or_month_whichever_is_larger() -> None:
    reports = Reports()
    report(reports, START, other="5")
    report(reports, START + HOUR, a=("100", "40", "30"), b=("100", "10", "70"), c=("50", "80", "0"), other="5")
    report(reports, END, a=("110", "0", "0"), b="100", c="51", other="5")
    result = settled(reports, race(1, 2, 3))
    assert scores(result) == {1: "50.00", 2: "70.00", 3: "51.00"}
    assert all(standing.is_new for standing in result.standings.values())


def test_an_account_that_was_seen_before_the_start_without_a_reading_begins_at_its_first_reading() -> None:
    reports = Reports()
    reports.adopt("b")
    report(reports, START, a="no number", other="5", another="6")
    report(reports, START + HOUR, a=("100", "40", "30"), b=("100", "10", "70"), other="5", another="6")
    report(reports, END, a="110", b="103", other="5", another="6")
    result = settled(reports, race(1, 2))
    assert scores(result) == {1: "10.00", 2: "3.00"}
    assert not any(standing.is_new for standing in result.standings.values())


def test_a_fall_changes_no_score_until_it_is_passed() -> None:
    reports = Reports()
    report(reports, START, a="100")
    report(reports, START + HOUR, a="150")
    report(reports, END - HOUR, a="20")
    report(reports, END, a="140")
    assert reports.falls() == {"a": Decimal(140)}
    assert scores(settled(reports, race(1))) == {1: "50.00"}


def test_an_accepted_fall_changes_no_score_and_wagers_count_from_there() -> None:
    reports = Reports()
    report(reports, START, a="100")
    report(reports, START + HOUR, a="150")
    report(reports, END - HOUR, a="20")
    reports.accept_fall("a")
    assert reports.falls() == {}
    report(reports, END, a="27.50")
    report(reports, END + HOUR, a="30")
    assert scores(settled(reports, race(1))) == {1: "57.50"}
    assert scores(settled(reports, race(1, start=END, end=END + MINUTE))) == {1: "2.50"}


def test_a_fall_accepted_after_the_end_leaves_the_score_of_the_race_and_of_the_next_one() -> None:
    reports = Reports()
    report(reports, START, a="100")
    report(reports, END, a="150")
    report(reports, END + HOUR, a="20")
    reports.accept_fall("a")
    report(reports, NEXT_END, a="21")
    assert scores(settled(reports, race(1))) == {1: "50.00"}
    assert scores(settled(reports, race(1, start=END, end=NEXT_END))) == {1: "1.00"}


def test_a_reading_of_before_an_accepted_fall_that_comes_after_the_acceptance_does_not_count() -> None:
    reports = Reports()
    report(reports, START, a="100", b="100")
    report(reports, START + 2 * HOUR, a="20", b="100")
    reports.accept_fall("a")
    report(reports, START + HOUR, late=3 * HOUR, a="300", b="300")
    report(reports, END, a="25", b="100")
    assert scores(settled(reports, race(1, 2))) == {1: "5.00", 2: "200.00"}


def test_a_reading_between_the_lower_total_and_its_repetition_does_not_count_after_the_acceptance() -> None:
    reports = Reports()
    report(reports, START, a="100")
    report(reports, START + HOUR, a="20")
    report(reports, START + 3 * HOUR, a="20")
    reports.accept_fall("a")
    report(reports, START + 2 * HOUR, late=2 * HOUR, a="100")
    report(reports, END, a="25")
    assert scores(settled(reports, race(1))) == {1: "5.00"}


def test_back_to_back_races_share_the_boundary_that_the_first_settlement_fixed() -> None:
    reports = Reports()
    report(reports, START, a="0")
    report(reports, END + 10 * MINUTE, a="150")
    first = settled(reports, race(1))
    report(reports, END + MINUTE, late=HOUR, a="140")  # of after the end, before its feed
    report(reports, NEXT_END, a="200")
    assert settled(reports, race(1)).feeds == first.feeds, "nothing that comes later changes it"
    second = settled(reports, race(1, start=END, end=NEXT_END))
    assert (scores(first), scores(second)) == ({1: "150.00"}, {1: "50.00"})


def test_a_late_feed_becomes_the_boundary_while_that_is_provisional() -> None:
    reports = Reports()
    report(reports, START, a="0")
    report(reports, END + 10 * MINUTE, a="150")
    late = report(reports, END + MINUTE, late=HOUR, a="140")
    assert not reports.is_due(race(1), END + HOUR + 30 * MINUTE)
    assert reports.is_due(race(1), END + HOUR + 31 * MINUTE)
    result = settled(reports, race(1))
    assert result.feeds[1] == late
    assert scores(result) == {1: "140.00"}


def test_only_a_whole_feed_is_a_boundary() -> None:
    reports = Reports()
    report(reports, START, a="0", b="0", c="0", d="0", e="0")
    report(reports, END, metadata={"totalUsers": 6}, a="1", b="0", c="0", d="0", e="0")
    report(reports, END + MINUTE, a="2", b="0", c="0")  # fewer than four fifths of the uids
    report(reports, END + 2 * MINUTE, metadata={"lastUpdated": "2026-06-07T23:59:59Z"}, a="3", b="0", c="0", d="0")
    assert not reports.is_due(race(1), LATER)
    report(reports, END + 3 * MINUTE, metadata={"lastUpdated": "2026-06-08T00:00:00Z"}, a="4", b="0", c="0", d="0")
    assert scores(settled(reports, race(1))) == {1: "4.00"}


def test_a_drop_that_staff_accept_is_whole() -> None:
    reports = Reports()
    report(reports, START, a="0", b="0")
    key = report(reports, END, a="1")
    assert not reports.is_due(race(1), LATER)
    reports.accept_drop(key)
    assert scores(settled(reports, race(1))) == {1: "1.00"}


def test_without_a_feed_staff_force_the_last_one_a_day_after_the_end() -> None:
    reports = Reports()
    report(reports, START, a="0")
    report(reports, END - HOUR, a="9")
    day = END + timedelta(days=1)
    assert reports.settle(race(1), PEOPLE, now=day - MINUTE, force=True) is None
    assert reports.settle(race(1), PEOPLE, now=day) is None
    forced = settled(reports, race(1), now=day, force=True)
    report(reports, END + HOUR, late=timedelta(days=2), a="50")
    report(reports, NEXT_END, a="60")
    second = settled(reports, race(1, start=END, end=NEXT_END))
    assert (scores(forced), scores(second)) == ({1: "9.00"}, {1: "51.00"})


@pytest.mark.parametrize(
    "person",
    [
        Person(None),
        Person("a", is_staff=True),
        Person("a", is_suspended=True),
        Person("a", is_erased=True),
        Person("a", is_shell=True),
        Person("a", excluded_since=END - MINUTE),
    ],
)
def test_who_is_not_ranked(person: Person) -> None:
    reports = Reports()
    report(reports, START, a="0", b="0")
    report(reports, END, a="5", b="4")
    result = settled(reports, race(1, 2), {1: person, 2: Person("b", excluded_since=END)})
    assert ranks(result) == {1: None, 2: 1}


def test_the_disqualified_and_those_below_the_minimum_are_not_ranked_and_places_move_up() -> None:
    reports = Reports()
    report(reports, START, a="0", b="0", c="0")
    report(reports, END, a="50", b="10", c="9.999")
    one = race(1, 2, 3, min_wager=Decimal(10))
    one.participants[1].is_disqualified = True
    result = settled(reports, one)
    assert ranks(result) == {1: None, 2: 1, 3: None}
    assert (prizes(result), result.unallocated) == ({2: "50.00"}, Decimal(50))


def test_what_was_carried_over_at_adoption_is_part_of_the_score() -> None:
    reports = Reports()
    reports.adopt("a")
    report(reports, START + HOUR, a="1000")
    report(reports, END, a="1001.999")
    one = race(1)
    one.participants[1].carried_over = Decimal("12.34")
    assert scores(settled(reports, one)) == {1: "14.33"}


def test_a_member_who_is_linked_anew_has_the_score_of_the_present_uid() -> None:
    reports = Reports()
    report(reports, START, a="0", b="100")
    report(reports, END, a="50", b="103")
    result = settled(reports, race(1, 2), {1: Person("b"), 2: Person("a")})
    assert scores(result) == {1: "3.00", 2: "50.00"}


def test_an_erased_uid_that_a_link_takes_up_again_is_not_new() -> None:
    reports = Reports()
    report(reports, START, a="1000")
    reports.erase("a")
    report(reports, START + HOUR, a=("1010", "10", "1000"))
    reports.take_up("a")
    report(reports, END - HOUR, a=("1020", "10", "1000"))
    report(reports, END, a=("1022", "10", "1000"))
    assert scores(settled(reports, race(1))) == {1: "2.00"}


MOMENT = START, "key"


@pytest.mark.parametrize(
    "answer",
    [
        '{"success": false, "data": [{"uid": "a", "wagered": {"all_time": 1}}]}',
        '{"data": "none"}',
        "<html></html>",
        '{"data": [{"uid": "a", "wagered": {"all_t',
        "[]",
        '[{"uid": "a", "wagered": {"all_time": -1}}, {"uid": "b", "wagered": {"all_time": "x"}}]',
        "{}",
        "null",
    ],
)
def test_what_is_no_feed(answer: str) -> None:
    assert read_pages([(200, answer)], MOMENT) is None
    assert read_pages([(502, body({"a": "1"}))], MOMENT) is None


@pytest.mark.parametrize(
    "wrap", ["[%s]", '{"data": [%s]}', '{"results": [%s]}', '{"data": {"all_time": {"data": [%s]}}}']
)
def test_amounts_are_rounded_half_even_in_each_shape(wrap: str) -> None:
    entries = '{"uid": "a", "wagered": {"all_time": 0.000000025}}, {"uid": "A", "wagered": {"all_time": "1.5e1"}}'
    answer = read_pages([(200, wrap % entries)], MOMENT)
    assert answer is not None
    good, bad, is_complete, _ = answer
    assert {uid: reading.total for uid, reading in good.items()} == {"a": Decimal("0.00000002"), "A": Decimal(15)}
    assert (bad, is_complete) == (frozenset(), True)


@pytest.mark.parametrize(
    "figure", ["-1", "NaN", '"1_000"', "1e400", "10000000000", "9999999999.999999999", "null", "true", '"x"']
)
def test_a_bad_figure_makes_the_entry_bad_and_so_does_a_repeated_uid(figure: str) -> None:
    entry = '{"uid": "%s", "wagered": {"all_time": %s}}'
    entries = [entry % one for one in (("a", figure), ("b", "1"), ("c", "1"), ("d", "1"), ("d", "1"), ("e", "1"))]
    answer = read_pages([(200, f"[{', '.join(entries)}]")], MOMENT)
    assert answer is not None
    assert (set(answer[0]), answer[1]) == ({"b", "c", "e"}, frozenset({"a", "d"}))


def test_pages_are_one_answer_which_says_how_many_there_are() -> None:
    pages = [(200, body({"a": "1"}, totalPages=2, totalUsers=2)), (200, body({"b": "2"}, totalPages=2, totalUsers=2))]
    both, one = read_pages(pages, MOMENT), read_pages(pages[:1], MOMENT)
    assert both is not None
    assert one is not None
    assert (set(both[0]), both[2]) == ({"a", "b"}, True)
    assert (set(one[0]), one[2]) == ({"a"}, False)
    assert read_pages([(200, body({"a": "1"}, totalPages=2))], MOMENT) == (one[0], frozenset(), False, None)

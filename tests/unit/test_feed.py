"""The affiliate feed is read exactly, and whatever an answer holds, reading it raises nothing."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goatedvips.domain.wagers.feed import (
    LARGEST_COUNT,
    LONGEST_UID,
    Feed,
    FeedPage,
    FeedProblem,
    parse_feed,
    read_total_pages,
)
from goatedvips.domain.wagers.feed_figures import LIMIT
from local.stand_ins.feeds import Casino, Entry, Fault, Shape, write, write_faulty, write_pages

NOON = datetime(2026, 12, 3, 12, tzinfo=UTC)  # a Thursday: its week began before its month
CASINO = Casino(500, seed=7)
ENTRIES = CASINO.feed(NOON)
PLACES = Decimal("1e-8")


def parse(*bodies: str, status: int = 200) -> Feed:
    return parse_feed(FeedPage(number, status, body) for number, body in enumerate(bodies, 1))


def parse_wagered(wagered: object) -> Feed:
    """The feed of one entry with these figures."""
    return parse(json.dumps([{"uid": "u", "name": "n", "wagered": wagered}]))


def parse_total(total: str) -> Decimal | None:
    """The lifetime total that is written so in the JSON text; None if its entry is bad."""
    good = '{"uid":"good","wagered":{"all_time":1}}'
    feed = parse(f'[{good},{{"uid":"u","name":"n","wagered":{{"today":0,"all_time":{total}}}}}]')
    assert feed.entry_count == len(feed.uids) + feed.bad_count == 2
    assert feed.bad_uids == (set() if "u" in feed.uids else {"u"})
    return dict(zip(feed.uids, feed.totals, strict=True)).get("u")


def exact(figure: float) -> Decimal:
    """What the text of a double means, rounded."""
    return Decimal(json.dumps(figure)).quantize(PLACES, ROUND_HALF_EVEN)


def expected(entries: Sequence[Entry]) -> Feed:
    return Feed(
        uids=[entry.uid for entry in entries],
        names=[entry.name for entry in entries],
        totals=[exact(entry.total) for entry in entries],
        today=[exact(entry.today) for entry in entries],
        week=[exact(entry.week) for entry in entries],
        month=[exact(entry.month) for entry in entries],
        entry_count=len(entries),
    )


def test_the_generator_has_the_habits_of_the_real_feed() -> None:
    wagering = [entry for entry in ENTRIES if entry.total]
    assert 0.05 < len(wagering) / len(ENTRIES) < 0.15
    assert max(-int(Decimal(json.dumps(e.total)).as_tuple().exponent) for e in wagering) > 12
    assert any(entry.week > entry.month for entry in wagering)
    assert any(len(entry.name or "") == 42 and (entry.name or "").startswith("0x") for entry in ENTRIES)
    assert len({entry.total for entry in wagering}) < len(wagering)
    assert [entry.total for entry in ENTRIES] != sorted(entry.total for entry in ENTRIES)
    later = {entry.uid: entry for entry in CASINO.feed(datetime(2027, 1, 1, tzinfo=UTC))}
    assert set(later) > {entry.uid for entry in ENTRIES}
    assert all(later[entry.uid].total > entry.total for entry in wagering)
    assert all(later[entry.uid].month == later[entry.uid].today == 0 for entry in wagering)


@pytest.mark.parametrize("texts", [False, True])
@pytest.mark.parametrize("shape", Shape)
def test_each_shape_is_read_exactly(shape: Shape, texts: bool) -> None:
    feed = parse(write(ENTRIES, shape, texts=texts))
    wanted = sorted(ENTRIES, key=lambda entry: -entry.total) if shape is Shape.GROUPED else ENTRIES
    assert feed == expected(wanted)


@pytest.mark.parametrize("shape", [Shape.DATA, Shape.RESULTS, Shape.GROUPED])
def test_pages_are_one_feed_in_any_order(shape: Shape) -> None:
    bodies = write_pages(ENTRIES, 64, shape)
    pages = [FeedPage(number, 200, body) for number, body in enumerate(bodies, 1)]
    assert len(pages) == -(-len(ENTRIES) // 64)
    forwards, backwards = parse_feed(pages), parse_feed(reversed(pages))
    assert forwards.problem is backwards.problem is None
    assert forwards.total_users == len(ENTRIES)
    assert sorted(zip(forwards.uids, forwards.totals, strict=True)) == sorted(
        zip(backwards.uids, backwards.totals, strict=True)
    )
    assert {read_total_pages(body) for body in bodies} == {len(pages)}


def test_a_feed_without_all_of_its_pages_is_not_whole() -> None:
    feed = parse(*write_pages(ENTRIES, 64)[:-1])
    assert feed.problem is FeedProblem.PAGES_MISSING
    assert not feed.problem.is_no_feed
    assert len(feed.uids) == feed.entry_count == 64 * ((len(ENTRIES) - 1) // 64)


@pytest.mark.parametrize("difference", [-1, 1])
def test_a_feed_with_another_number_of_entries_than_it_says_is_not_whole(difference: int) -> None:
    feed = parse(write(ENTRIES, metadata={"totalUsers": len(ENTRIES) + difference}))
    assert (feed.problem, feed.total_users) == (FeedProblem.COUNT_DIFFERS, len(ENTRIES) + difference)
    assert len(feed.uids) == len(ENTRIES)


def test_bad_entries_count_as_entries_that_are_there() -> None:
    body = json.loads(write(ENTRIES, metadata={"totalUsers": len(ENTRIES)}))
    body["data"][3]["wagered"]["all_time"] = "much"
    feed = parse(json.dumps(body))
    assert (feed.problem, feed.bad_count, feed.bad_uids) == (None, 1, {ENTRIES[3].uid})


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (Fault.UNSUCCESSFUL, FeedProblem.NOT_SUCCESSFUL),
        (Fault.NO_LIST, FeedProblem.NO_LIST),
        (Fault.HTML, FeedProblem.NOT_JSON),
        (Fault.TRUNCATED, FeedProblem.NOT_JSON),
        (Fault.EMPTY, FeedProblem.EMPTY),
        (Fault.MOSTLY_BAD, FeedProblem.MOSTLY_BAD),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_a_faulty_answer_is_no_feed(fault: Fault, problem: FeedProblem, seed: int) -> None:
    feed = parse(write_faulty(ENTRIES, fault, seed))
    assert feed.problem is problem
    assert problem.is_no_feed
    assert feed.uids == feed.names == feed.totals == feed.today == feed.week == feed.month == []


def test_half_bad_is_a_feed_and_more_is_none() -> None:
    good, bad = '{"uid":"a","wagered":{"all_time":1}}', '{"uid":"b","wagered":{"all_time":-1}}'
    assert parse(f"[{good},{bad}]").problem is None
    assert parse(f'[{good},{bad},{{"uid":"c"}}]').problem is FeedProblem.MOSTLY_BAD


@pytest.mark.parametrize("status", [199, 301, 401, 403, 404, 429, 500, 503])
def test_an_answer_of_another_status_is_no_feed_whatever_its_body(status: int) -> None:
    assert parse(write(ENTRIES), status=status).problem is FeedProblem.BAD_STATUS


@pytest.mark.parametrize("seed", range(20))
def test_some_bad_entries_are_counted_and_skipped(seed: int) -> None:
    feed = parse(write_faulty(ENTRIES, Fault.SOME_BAD, seed))
    assert feed.problem is None
    assert feed.bad_count == len(ENTRIES) // 10
    assert feed.entry_count == len(ENTRIES) == len(feed.uids) + feed.bad_count
    left = set(feed.uids)
    assert feed.uids == [entry.uid for entry in ENTRIES if entry.uid in left]
    assert feed.totals == [exact(entry.total) for entry in ENTRIES if entry.uid in left]
    assert feed.bad_uids <= {entry.uid for entry in ENTRIES} - left


@pytest.mark.parametrize(
    ("total", "read"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("0.0000000049", "0"),
        ("0.000000005", "0"),  # half, to the even neighbour
        ("0.000000015", "0.00000002"),
        ("0.000000025", "0.00000002"),
        ("0.0000000150000000001", "0.00000002"),
        ("1.1234567890123456789", "1.12345679"),
        ("1e-400000", "0"),
        ("1E+3", "1000"),
        ('"12.50"', "12.5"),
        ('"007"', "7"),
        ("9999999999.999999994", "9999999999.99999999"),
        ("0.1" + "0" * 5000, "0.1"),
        ("0." + "0" * 5000 + "1", "0"),
    ],
)
def test_a_figure_is_rounded_half_even_to_8_places(total: str, read: str) -> None:
    assert parse_total(total) == Decimal(read)


@pytest.mark.parametrize(
    "total",
    [
        *("null", "true", "false", "[]", "{}", '""', '"much"', "NaN", "Infinity", "-Infinity"),
        *('"NaN"', '"Infinity"', '"1_000"', '"1,000"', '" 1"', '"1 "', '"+1"', '"0x1F"', '".5"', '"5."', '"1e"'),
        *("-1", "-0.000000001", '"-1"', "10000000000", "9999999999.999999995", "1e400", "1e99999999999999999999"),
        *('"\uff11"', '"\u0661"', "1" * 5000, f'"{"1" * 5000}"', '{"all_time": 1}', '{"uid": 1, "wagered": 1}'),
    ],
)
def test_what_is_no_figure_makes_its_entry_bad(total: str) -> None:
    assert parse_total(total) is None


def test_an_entry_without_a_lifetime_total_is_bad_and_without_a_period_is_not() -> None:
    assert parse_wagered({"today": 1, "this_week": 1, "this_month": 1}).bad_uids == {"u"}
    feed = parse_wagered({"all_time": 3, "this_week": None})
    assert (feed.totals, feed.today, feed.week, feed.month) == ([Decimal(3)], *[[Decimal(0)]] * 3)


@pytest.mark.parametrize("period", ["today", "this_week", "this_month"])
@pytest.mark.parametrize("value", ["much", -1, True, 10**10])
def test_a_period_that_is_no_figure_makes_its_entry_bad(period: str, value: object) -> None:
    assert parse_wagered({"all_time": 3, period: value}).bad_uids == {"u"}


def test_a_uid_that_occurs_twice_is_bad_at_each_place_and_case_matters() -> None:
    rows = [(uid, total) for total, uid in enumerate(["a", "b", "A", "a", "c", "c", "c", "d", "e", "f", "g"])]
    entries = [{"uid": uid, "name": uid, "wagered": {"all_time": total}} for uid, total in rows]
    feed = parse(json.dumps(entries))
    assert feed.uids == ["b", "A", "d", "e", "f", "g"]
    assert [int(total) for total in feed.totals] == [1, 2, 7, 8, 9, 10]
    assert (feed.bad_uids, feed.bad_count, feed.entry_count) == ({"a", "c"}, 5, 11)


def test_a_uid_is_bad_where_one_of_its_entries_is() -> None:
    good, bad = '{"uid":"a","wagered":{"all_time":1}}', '{"uid":"a","wagered":{"all_time":-1}}'
    others = ",".join(f'{{"uid":"{uid}","wagered":{{"all_time":1}}}}' for uid in "xyz")
    for body in (f"[{good},{bad},{others}]", f"[{others},{bad},{good}]"):
        feed = parse(body)
        assert (sorted(feed.uids), feed.bad_uids, feed.bad_count) == (["x", "y", "z"], {"a"}, 2)


@pytest.mark.parametrize("uid", [None, "", 17, True, [], {}, "a\0b", "\ud800", "u" * (LONGEST_UID + 1)])
def test_an_unreadable_uid_makes_its_entry_bad_and_is_not_listed(uid: object) -> None:
    entries = [{"uid": uid, "wagered": {"all_time": 1}}, {"uid": "b", "wagered": {"all_time": 1}}]
    feed = parse(json.dumps(entries))
    assert (feed.uids, feed.bad_uids, feed.bad_count) == (["b"], set(), 1)


@pytest.mark.parametrize(
    ("name", "read"),
    [("a\0b", "a\ufffdb"), ("\ud800x", "\ufffdx"), ("\U0001f3b2", "\U0001f3b2"), ("", ""), (None, None), (7, None)],
)
def test_a_name_is_any_text_that_can_be_stored(name: object, read: str | None) -> None:
    assert parse(json.dumps([{"uid": "a", "name": name, "wagered": {"all_time": 1}}])).names == [read]


@pytest.mark.parametrize(
    ("updated", "read"),
    [
        ("2026-12-03T12:00:00.000Z", NOON),
        ("2026-12-03T14:00:00+02:00", NOON),
        ("2026-12-03T12:00:00", NOON),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        (1_796_299_200, None),
        (None, None),
    ],
)
def test_the_instant_of_the_last_update_is_read_where_it_is_one(updated: object, read: datetime | None) -> None:
    assert parse(write(ENTRIES, metadata={"lastUpdated": updated})).last_updated == read


def test_the_last_update_of_pages_is_the_earliest() -> None:
    bodies = [
        write([entry], metadata={"lastUpdated": f"2026-12-03T12:0{n}:00Z"}) for n, entry in enumerate(ENTRIES[:5])
    ]
    assert parse(*reversed(bodies)).last_updated == NOON


@pytest.mark.parametrize("count", [-1, 1.0, "3", True, None, LARGEST_COUNT + 1, int("9" * 60)])
def test_a_count_that_is_none_is_not_used(count: object) -> None:
    body = write(ENTRIES, metadata={"totalPages": count, "totalUsers": count})
    feed = parse(body)
    assert (feed.problem, feed.total_users) == (None, None)
    assert read_total_pages(body) == 1


PIECES = ("", "0", '"', "{", "}", "[", "]", ",", "-", "e9", "\\u0000", "\\ud800", "\0", "null", "\ud800")
WORDS = ("uid", "name", "wagered", "data", "results", "success", "metadata", "totalPages", "totalUsers", "lastUpdated")
PERIODS = ("today", "this_week", "this_month", "all_time")
SCALARS = (None, True, False, 0, 1, -1, 10**30, 0.1, -0.0, 1e300, float("nan"), float("inf"), "", "a", "\0", "\ud800")


def draw(random: Random, depth: int = 0) -> Any:
    """Any JSON value, mostly of the words of a feed."""
    kind = random.random()
    if depth > 5 or kind < 0.3:
        return random.choice([*SCALARS, *PERIODS, "1.5", "2026-12-03T12:00:00Z", 3.25])
    if kind < 0.45:
        wagered = {period: draw(random, depth + 2) for period in PERIODS}
        return {"uid": draw(random, depth + 2), "name": draw(random, depth + 2), "wagered": wagered}
    if kind < 0.7:
        return [draw(random, depth + 1) for _ in range(random.randrange(4))]
    keys = random.sample([*WORDS, *PERIODS], random.randrange(6))
    return {key: draw(random, depth + 1) for key in keys}


def check(feed: Feed) -> None:
    """What holds for every feed."""
    columns = (feed.uids, feed.names, feed.totals, feed.today, feed.week, feed.month)
    assert len({len(column) for column in columns}) == 1
    assert len(set(feed.uids)) == len(feed.uids)
    assert not feed.bad_uids & set(feed.uids)
    for figures in columns[2:]:
        assert all(isinstance(figure, Decimal) and 0 <= figure < LIMIT for figure in figures)
        assert all(figure == figure.quantize(PLACES) for figure in figures)
    "".join([*feed.uids, *filter(None, feed.names), *feed.bad_uids]).encode()
    if feed.problem and feed.problem.is_no_feed:
        assert not feed.uids
    else:
        assert feed.entry_count == len(feed.uids) + feed.bad_count > 0
        assert 2 * feed.bad_count <= feed.entry_count


@pytest.mark.parametrize("seed", range(10))
def test_no_json_makes_the_parser_raise(seed: int) -> None:
    random = Random(seed)
    readable = 0
    for _ in range(2_000):
        body = json.dumps(draw(random))
        feed = parse(*[body] * random.randrange(3))
        check(feed)
        readable += bool(feed.uids or feed.bad_uids)
        assert read_total_pages(body) >= 1
    assert readable > 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.from_regex(r"-?[0-9]+(\.[0-9]+)?\Z"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*WORDS, *PERIODS]) | st.text(max_size=3), inner, max_size=6)
    ),
    max_leaves=30,
)


@given(st.lists(JSON, max_size=3))
def test_no_json_whatever_makes_the_parser_raise(pages: list[Any]) -> None:
    check(parse(*map(json.dumps, pages)))


@given(st.decimals(-1, LIMIT + 1, allow_nan=False), st.booleans())
def test_any_decimal_is_read_exactly_and_rounded_half_even(figure: Decimal, is_text: bool) -> None:
    rounded = figure.quantize(PLACES, ROUND_HALF_EVEN)
    written = f'"{figure}"' if is_text else str(figure)
    assert parse_total(written) == (None if figure < 0 or rounded >= LIMIT else rounded)


@pytest.mark.parametrize("seed", range(10))
def test_no_edit_of_a_feed_makes_the_parser_raise(seed: int) -> None:
    random = Random(seed)
    text = write(ENTRIES[:30], random.choice(list(Shape)), metadata={"totalUsers": 30, "totalPages": 1})
    readable = 0
    for _ in range(500):
        start = random.randrange(len(text))
        piece = random.choice(PIECES)
        feed = parse(text[:start] + piece + text[start + random.randrange(3) :])
        check(feed)
        readable += bool(feed.uids)
    assert readable > 50


@pytest.mark.parametrize(
    "body", ["[" * 200_000, '{"data":' * 200_000, "", "\0", "\ufeff[]", "nul", "{", '{"a"', "\ud800"]
)
def test_no_text_makes_the_parser_raise(body: str) -> None:
    assert parse(body).problem is FeedProblem.NOT_JSON


def test_no_page_is_an_empty_feed() -> None:
    assert parse().problem is FeedProblem.EMPTY


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_entries_does_not_matter(seed: int) -> None:
    random = Random(seed)
    document = json.loads(write_faulty(ENTRIES, Fault.SOME_BAD, seed))
    document["data"] += random.sample(document["data"], 10)
    feeds = []
    for _ in range(2):
        random.shuffle(document["data"])
        feed = parse(json.dumps(document))
        feeds.append((sorted(zip(feed.uids, feed.totals, strict=True)), feed.bad_uids, feed.bad_count, feed.problem))
    assert feeds[0] == feeds[1]

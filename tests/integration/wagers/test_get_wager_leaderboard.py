"""GET /v1/leaderboards/{period}: the community by what it has wagered."""

import base64
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips import db
from goatedvips.models.accounts import users
from goatedvips.models.wagers import wager_accounts
from tests.support.functions import Answer, Functions
from tests.support.ingesting import Ingesting
from tests.support.members import Member, Members
from tests.support.rows import insert_row

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
PERIODS = {"today": "1.50", "week": "20.00", "month": "30.25", "all_time": "400.12345678"}


@pytest.fixture
def ingesting(database: sa.Engine) -> Ingesting:
    return Ingesting(database)


@pytest.fixture(autouse=True)
def _only_these_accounts(ingesting: Ingesting) -> None:
    ingesting.remove_all()
    with ingesting.database.connect() as connection:
        connection.execute(sa.update(users).where(users.c.uid.is_not(None)).values(uid=None))


def board(functions: Functions, period: str = "all_time", **changes: Any) -> Answer:
    return functions.call("get_wager_leaderboard", path=f"/v1/leaderboards/{period}", **{"now": NOON} | changes)


def linked(database: sa.Engine, member: Member, uid: str, total: str = "100", **columns: Any) -> int:
    """Link an account to a member, as a decision does."""
    figures = dict.fromkeys(("total_wager", "wager_today", "wager_week", "wager_month"), Decimal(total))
    account = insert_row(database, wager_accounts, uid=uid, read_at=NOON, **figures | columns)
    with database.connect() as connection:
        connection.execute(sa.update(users).where(users.c.id == member.id).values(uid=uid))
    return account


def listed(functions: Functions, period: str = "all_time") -> list[int]:
    return [item["user_id"] for item in board(functions, period).json["items"]]


@pytest.mark.parametrize("period", PERIODS)
def test_each_board_has_the_feed_s_own_figure(
    ingesting: Ingesting, members: Members, functions: Functions, period: str
) -> None:
    member = members.new(uid="one")
    total, today, week, month = PERIODS["all_time"], PERIODS["today"], PERIODS["week"], PERIODS["month"]
    ingesting.ingest(NOON, {"one": (total, today, week, month), "nobody-s": (total, today, week, month)})
    answer = board(functions, period).json
    standing = {"rank": 1, "user_id": member.id, "username": member.username, "wagered": PERIODS[period]}
    assert answer == {"items": [standing], "next_cursor": None, "as_of": "2026-05-04T12:00:00Z", "stale": False}


def test_the_highest_figure_is_first_and_ties_are_by_id(
    database: sa.Engine, members: Members, functions: Functions
) -> None:
    people = [members.new() for _ in range(5)]
    for member, total in zip(people, ("5", "7", "5", "7.00000001", "5"), strict=True):
        linked(database, member, f"uid-{member.id}", total)
    order = [people[number].id for number in (3, 1, 0, 2, 4)]
    assert listed(functions) == order
    assert [item["rank"] for item in board(functions).json["items"]] == [1, 2, 3, 4, 5]
    found, query = [], {"limit": "1"}
    while query:
        page = board(functions, query=query).json
        found += [(item["rank"], item["user_id"]) for item in page["items"]]
        query = {"limit": "1", "cursor": page["next_cursor"]} if page["next_cursor"] else {}
    assert found == list(enumerate(order, 1))


def test_who_has_wagered_nothing_in_the_period_is_not_listed(
    database: sa.Engine, members: Members, functions: Functions
) -> None:
    member = members.new()
    linked(database, member, "idle", wager_today=Decimal(0))
    assert listed(functions, "today") == []
    assert listed(functions, "week") == [member.id]


def test_a_member_who_hides_their_name_keeps_the_place_and_no_cursor_gives_them_away(
    database: sa.Engine, members: Members, functions: Functions
) -> None:
    hidden, other = members.new(hide_name=True), members.new()
    linked(database, hidden, "secret-uid", "9")
    linked(database, other, "other-uid", "8")
    answer = board(functions, query={"limit": "1"})
    assert answer.json["items"] == [{"rank": 1, "user_id": None, "username": None, "wagered": "9.00"}]
    cursor = base64.urlsafe_b64decode(answer.json["next_cursor"]).decode()
    assert str(hidden.id) not in cursor.split(",")
    assert hidden.username not in answer.text and "secret-uid" not in answer.text  # noqa: PT018
    assert board(functions, query={"limit": "1", "cursor": answer.json["next_cursor"]}).json["items"][0]["rank"] == 2


STATES: dict[str, tuple[Any, Any]] = {
    "suspended_at": (NOON, None),
    "excluded_until": (NOON - timedelta(days=1), None),
    "excluded_permanently": (True, False),
}


@pytest.mark.parametrize("column", STATES)
def test_who_is_excluded_or_suspended_is_left_out_and_comes_back_after_it(
    database: sa.Engine, members: Members, functions: Functions, column: str
) -> None:
    member, (off, on) = members.new(), STATES[column]
    account = linked(database, member, "one")
    is_listed = sa.select(wager_accounts.c.is_listed).where(wager_accounts.c.id == account)
    for value, expected in ((off, []), (on, [member.id])):
        members.change(member, **{column: value})
        assert listed(functions) == expected
        with database.connect() as connection:
            assert connection.scalar(is_listed) is bool(expected), "so a page does not even read it"
    linked(database, members.new(**{column: off}), "two")
    assert listed(functions) == [member.id], "linked while it is so"


def test_a_member_who_is_marked_as_listed_by_mistake_is_left_out_all_the_same(
    database: sa.Engine, members: Members, functions: Functions
) -> None:
    member = members.new(suspended_at=NOON)
    account = linked(database, member, "one")
    with database.connect() as connection:
        connection.execute(sa.update(wager_accounts).where(wager_accounts.c.id == account).values(is_listed=True))
    assert listed(functions) == []


def test_shells_and_accounts_that_are_no_longer_linked_are_left_out(
    database: sa.Engine, members: Members, functions: Functions
) -> None:
    members.shell("shell-uid")
    member = members.new()
    linked(database, member, "one")
    assert listed(functions) == [member.id]
    with database.connect() as connection:
        connection.execute(sa.update(users).where(users.c.id == member.id).values(uid=None))
    assert listed(functions) == []


def test_an_account_that_ingest_inserts_is_listed_at_once(
    ingesting: Ingesting, members: Members, functions: Functions
) -> None:
    member, _ = members.new(uid="early"), members.new(uid="off", suspended_at=NOON)
    ingesting.ingest(NOON, {"early": "5", "off": "6"})
    assert listed(functions) == [member.id]


def test_the_answer_says_as_of_when_it_is_and_whether_a_newer_reading_is_overdue(
    ingesting: Ingesting, functions: Functions
) -> None:
    empty: dict[str, Any] = {"items": [], "next_cursor": None}
    assert board(functions).json == empty | {"as_of": None, "stale": True}
    ingesting.ingest(NOON - timedelta(minutes=30), {"a": "1"})
    ingesting.ingest_body(NOON - timedelta(minutes=1), "<html>")
    ingesting.ingest(NOON - timedelta(hours=2), {"a": "1"}, now=NOON)
    assert board(functions).json == empty | {"as_of": "2026-05-04T11:30:00Z", "stale": False}
    assert board(functions, now=NOON + timedelta(seconds=1)).json["stale"] is True


def test_if_none_match_with_the_etag_answers_304(database: sa.Engine, members: Members, functions: Functions) -> None:
    linked(database, members.new(), "one")
    first = board(functions)
    assert first.headers["Cache-Control"] == "no-cache"
    same = board(functions, headers={"if-none-match": first.headers["ETag"]})
    assert (same.status, same.text, same.headers["ETag"]) == (304, "", first.headers["ETag"])
    linked(database, members.new(), "two")
    assert board(functions, headers={"if-none-match": first.headers["ETag"]}).status == 200


def test_another_period_is_not_found_and_its_cursor_is_refused(
    database: sa.Engine, members: Members, functions: Functions
) -> None:
    for number in range(2):
        linked(database, members.new(), f"uid-{number}")
    for period in ("year", "TODAY", "total_wager", "today%0a", ""):
        assert board(functions, period).status == 404, period
    cursor = board(functions, "week", query={"limit": "1"}).json["next_cursor"]
    assert board(functions, "week", query={"cursor": cursor}).status == 200
    assert board(functions, "month", query={"cursor": cursor}).status == 422


def test_a_cursor_of_an_account_that_is_gone_goes_on(
    database: sa.Engine, members: Members, functions: Functions
) -> None:
    people = [members.new() for _ in range(3)]
    accounts = [linked(database, member, f"uid-{member.id}", str(10 - number)) for number, member in enumerate(people)]
    cursor = board(functions, query={"limit": "1"}).json["next_cursor"]
    with db.transaction() as connection:
        connection.execute(sa.delete(wager_accounts).where(wager_accounts.c.id == accounts[0]))
    items = board(functions, query={"cursor": cursor}).json["items"]
    assert [(item["rank"], item["user_id"]) for item in items] == [(2, people[1].id), (3, people[2].id)]


def test_pages_of_all_time_follow_an_ingest_and_what_is_listed_after_it(
    ingesting: Ingesting, members: Members, functions: Functions
) -> None:
    """Most members stand in blocks, which ingest writes; those who are linked or come back later stand in none."""
    uids = [f"uid {number}" for number in range(130)]
    people = members.new_all([{"uid": uid} for uid in uids[:120]])
    ingesting.ingest(NOON, {uid: str(1 + number % 40) for number, uid in enumerate(uids)})
    people += members.new_all([{"uid": uid} for uid in uids[120:]])
    members.change(people[7], suspended_at=NOON)
    members.change(people[9], suspended_at=NOON)
    members.change(people[9], suspended_at=None)
    totals = {member.id: 1 + number % 40 for number, member in enumerate(people) if number != 7}
    pages, query = [], {"limit": "17"}
    while True:
        page = board(functions, query=query).json
        pages += [(item["rank"], item["user_id"]) for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    in_order = sorted(totals, key=lambda user_id: (-totals[user_id], user_id))
    assert pages == list(enumerate(in_order, 1))

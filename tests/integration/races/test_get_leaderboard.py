"""GET /v1/races/{id}/leaderboard: the participants of a race by rank."""

import os
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.races import boards, leaderboard, leaderboard_statements
from tests.support import stack
from tests.support.functions import Answer, Functions
from tests.support.members import Members
from tests.support.plans import fill, rows_read
from tests.support.races import END, START, Races


def board(functions: Functions, race_id: object, **changes: Any) -> Answer:
    return functions.call("get_leaderboard", path=f"/v1/races/{race_id}/leaderboard", **changes)


def test_the_order_is_by_rank_then_by_joining_and_the_unranked_come_last(
    races: Races, members: Members, functions: Functions
) -> None:
    race_id, people = races.new(), [members.new() for _ in range(6)]
    for member, rank in zip(people, (None, 3, 1, None, 1, 4), strict=True):
        races.enter(race_id, member.id, rank=rank, total_wager=Decimal("1.25"))
    expected = [(1, 2), (1, 4), (3, 1), (4, 5), (None, 0), (None, 3)]
    assert board(functions, race_id).json["items"] == [
        {"rank": rank, "user_id": people[who].id, "username": people[who].username, "total_wager": "1.25"}
        for rank, who in expected
    ]


def test_a_member_who_hides_their_name_keeps_the_place_without_name_and_id(
    races: Races, members: Members, functions: Functions
) -> None:
    race_id, member = races.new(), members.new(hide_name=True, uid="affiliate-secret")
    races.enter(race_id, member.id, rank=1, total_wager=Decimal(7))
    answer = board(functions, race_id)
    assert answer.json["items"] == [{"rank": 1, "user_id": None, "username": None, "total_wager": "7.00"}]
    assert not any(secret in answer.text for secret in (member.username, member.email, "affiliate-secret"))


def test_only_the_oldest_row_of_an_adopted_member_counts(races: Races, members: Members, functions: Functions) -> None:
    race_id, member = races.new(), members.new()
    races.enter(race_id, member.id, rank=2, total_wager=Decimal(7))
    races.enter(race_id, member.id, rank=1, total_wager=Decimal(9))
    races.enter(race_id, None, rank=3, total_wager=Decimal(1))
    assert [item["total_wager"] for item in board(functions, race_id).json["items"]] == ["7.00"]
    assert functions.call("get_race", path=f"/v1/races/{race_id}").json["participants"] == 1


def test_shells_are_passed_over_on_every_page(races: Races, members: Members, functions: Functions) -> None:
    race_id, people = races.new(), [members.new() for _ in range(4)]
    shells = [members.shell(f"uid-{secrets.token_hex(6)}") for _ in range(4)]
    for number in range(4):
        rank = 2 * number + 1 if number < 2 else None
        for member in (shells[number], people[number]):
            races.enter(race_id, member.id, rank=rank)
    listed, query = [], {"limit": "1"}
    while True:
        page = board(functions, race_id, query=query).json
        listed += [(item["rank"], item["user_id"]) for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query = {"limit": "1", "cursor": page["next_cursor"]}
    assert listed == list(zip((1, 3, None, None), [member.id for member in people], strict=True))


def test_a_race_without_participants_has_an_empty_leaderboard_and_no_race_is_not_found(
    races: Races, functions: Functions
) -> None:
    empty: dict[str, Any] = {"items": [], "next_cursor": None, "as_of": None, "stale": False}
    assert board(functions, races.new(), now=START - timedelta(days=1)).json == empty
    for race_id in (2**31 - 1, 2**31, 0, "one"):
        assert board(functions, race_id).status == 404


def test_participants_of_another_race_are_not_listed(races: Races, members: Members, functions: Functions) -> None:
    one, other, member = races.new(), races.new(), members.new()
    races.enter(other, member.id, rank=1)
    assert board(functions, one).json["items"] == []


def test_if_none_match_with_the_etag_answers_304(races: Races, members: Members, functions: Functions) -> None:
    race_id, member = races.new(), members.new()
    races.enter(race_id, member.id, rank=1)
    first = board(functions, race_id)
    tag = first.headers["ETag"]
    assert tag.startswith('"') and tag.endswith('"')  # noqa: PT018
    assert first.headers["Cache-Control"] == "no-cache"
    assert board(functions, race_id).headers["ETag"] == tag
    for header in (tag, f"W/{tag}", f'"other", {tag}', f'"a,b",W/{tag},"c"', "*", " * "):
        same = board(functions, race_id, headers={"if-none-match": header})
        assert (same.status, same.text) == (304, ""), header
        assert same.headers["ETag"] == tag
    for header in ('"other"', tag.strip('"'), "", f"W/{tag[1:]}"):
        assert board(functions, race_id, headers={"if-none-match": header}).status == 200, header


def test_every_change_of_the_answer_changes_the_etag(races: Races, members: Members, functions: Functions) -> None:
    race_id, member = races.new(), members.new()
    tags = [board(functions, race_id).headers["ETag"]]
    races.enter(race_id, member.id)
    tags.append(board(functions, race_id).headers["ETag"])
    members.change(member, username=f"{member.username}-renamed")
    tags.append(board(functions, race_id).headers["ETag"])
    members.change(member, hide_name=True)
    hidden = board(functions, race_id, headers={"if-none-match": ", ".join(tags)})
    assert hidden.status == 200
    assert len({*tags, hidden.headers["ETag"]}) == 4
    missing = board(functions, 2**31 - 1, headers={"if-none-match": "*"})
    assert (missing.status, "ETag" in missing.headers) == (404, False)


def test_the_answer_says_as_of_when_it_is_and_whether_a_newer_reading_is_overdue(
    races: Races, members: Members, functions: Functions
) -> None:
    race_id, limit, second = races.new(), timedelta(minutes=30), timedelta(seconds=1)
    races.enter(race_id, members.new().id)

    def stale(now: datetime) -> object:
        answer = board(functions, race_id, now=now).json
        assert answer["as_of"] == (as_of and as_of.isoformat().replace("+00:00", "Z"))
        assert board(functions, race_id, now=now, query={"limit": "1"}).json == answer
        return answer["stale"]

    as_of = None
    assert [stale(now) for now in (START - second, START + limit, START + limit + second)] == [False, False, True]
    as_of = START + timedelta(hours=1)
    races.read(race_id, as_of)
    assert [stale(now) for now in (as_of, as_of + limit, as_of + limit + second, END)] == [False, False, True, True]
    as_of = END - second
    races.read(race_id, as_of)
    assert [stale(now) for now in (END, END + limit)] == [False, True]
    as_of = END
    races.read(race_id, as_of)
    assert not stale(END + timedelta(days=1)), "the reading that ends the race is in"


@pytest.mark.parametrize("column", ["settled_at", "cancelled_at"])
def test_the_ranks_of_a_settled_or_cancelled_race_are_not_stale(
    races: Races, functions: Functions, column: str
) -> None:
    race_id = races.new()
    assert board(functions, race_id, now=END).json["stale"]
    assert not board(functions, races.new(**{column: END}), now=END + timedelta(days=1)).json["stale"]


MOST_ROWS_READ = 200
MOST_BLOCKS_READ = 20


@pytest.fixture(scope="module", params=[(1_000, True), (1_000, False), (100_000, True), (100_000, False)])
def crowded_race(request: pytest.FixtureRequest, database: sa.Engine) -> Iterator[int]:
    """A race with many ranked participants, beside another race with as many participants without a rank.

    The ranked stand in blocks, as ingest leaves them, or in none, as the legacy application leaves them.
    """
    count, is_placed = request.param
    races = Races(database)
    ranked, unranked = races.new(), races.new()
    fill(
        database,
        "INSERT INTO wager_race_participants"
        " (race_id, total_wager, member_key, rank, is_placed, unplaced_rank, is_listed)"
        f" SELECT {ranked}, 1, n, n, {is_placed}, {'NULL' if is_placed else 'n'}, true"
        f" FROM generate_series(1, {count}) n",
        f"INSERT INTO wager_race_participants (race_id, total_wager, member_key, is_listed)"
        f" SELECT {unranked}, 0, n, true FROM generate_series(1, {count}) n",
    )
    with database.begin() as connection:
        connection.execute(sa.select(sa.true()).add_cte(boards.inserted_blocks()), {"race_ids": [ranked]})
    fill(database)
    yield ranked
    fill(database, f"DELETE FROM wager_race_participants WHERE race_id IN ({ranked}, {unranked})")


def test_the_cursors_are_those_of_the_statements() -> None:
    keyset = leaderboard_statements.BY_PLACE
    for limit, cursor in ((5, None), (7, leaderboard.BY_PLACE.cursor_after({"place": 3, "id": 4}))):
        assert leaderboard.BY_PLACE.parameters(limit, cursor) == keyset.parameters(limit, cursor)


@pytest.mark.parametrize("place", [None, 0, 500, 2**31])
def test_a_page_reads_few_rows_however_many_take_part_in_this_race_and_others(
    crowded_race: int, servers: stack.Stack, place: int | None
) -> None:
    parameters = leaderboard.BY_PLACE.parameters(50, None) | {"race_id": crowded_race}
    statement = leaderboard_statements.select_first_page
    if place is not None:
        parameters |= {"after_place": place, "after_id": 1}
        statement = leaderboard_statements.select_later_page
    read = rows_read(servers.direct(os.environ["TEST_DATABASE"], "api"), statement, parameters)
    assert read.keys() == {"wager_races", "race_board_blocks", "wager_race_participants", "users", "feeds"}
    assert read["race_board_blocks"] <= MOST_BLOCKS_READ
    # The members' table is small here, so the planner may read it whole.
    assert read["wager_race_participants"] <= MOST_ROWS_READ, read

"""The order of a leaderboard: in blocks where ingest wrote ranks, and by an index where the legacy application did."""

import secrets
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.races import race_board_blocks, wager_race_participants
from tests.support.functions import Functions
from tests.support.ingesting import Ingesting
from tests.support.members import Member, Members
from tests.support.races import END, START, Races

STEP = timedelta(minutes=10)
PEOPLE = 220


@pytest.fixture
def ingesting(database: sa.Engine) -> Ingesting:
    made = Ingesting(database)
    made.remove_all()
    return made


@pytest.fixture
def uids() -> list[str]:
    return [secrets.token_hex(8) for _ in range(PEOPLE)]


@pytest.fixture
def people(members: Members, uids: list[str]) -> list[Member]:
    return members.new_all([{"uid": uid} for uid in uids])


@pytest.fixture
def race_id(races: Races, ingesting: Ingesting, people: list[Member], uids: list[str]) -> int:
    """A race in which 200 of 220 are ranked, many of them equally, in three blocks."""
    race_id = races.new(start_date=START, end_date=END, status="live", min_wager=Decimal(1))
    with races.database.connect() as connection:
        rows = [{"race_id": race_id, "user_id": member.id, "total_wager": 0} for member in people]
        connection.execute(sa.insert(wager_race_participants).returning(wager_race_participants.c.id), rows)
    draw = Random(1)  # noqa: S311 - no secret
    ingesting.ingest(START, dict.fromkeys(uids, "0"))
    totals = {uid: str(draw.randint(1, 60)) if number < 200 else "0" for number, uid in enumerate(uids)}
    ingesting.ingest(START + STEP, totals)
    return race_id


def pages(functions: Functions, race_id: int, limit: int) -> list[tuple[int | None, int]]:
    items: list[dict[str, Any]] = []
    query = {"limit": str(limit)}
    while True:
        page = functions.call("get_leaderboard", path=f"/v1/races/{race_id}/leaderboard", query=query).json
        items += page["items"]
        if page["next_cursor"] is None:
            return [(item["rank"], item["user_id"]) for item in items]
        assert len(page["items"]) == limit
        query["cursor"] = page["next_cursor"]


def in_order(races: Races, race_id: int) -> list[tuple[int | None, int]]:
    rows = sorted(races.participants(race_id), key=lambda row: (row.rank is None, row.rank or 0, row.id))
    return [(row.rank, row.user_id) for row in rows]


@pytest.mark.parametrize("limit", [100, 7])
def test_pages_follow_the_ranks_whoever_wrote_them(
    races: Races, functions: Functions, race_id: int, limit: int
) -> None:
    assert pages(functions, race_id, limit) == in_order(races, race_id)
    rows = races.participants(race_id)
    assert sum(row.is_placed for row in rows) == 200
    for row, rank in zip(rows[:150:15], (1, 2, 300, None, 5, 5, 900, 40, None, 7), strict=True):
        races.change_participant(row.id, rank=rank)  # as the legacy application does
    assert pages(functions, race_id, limit) == in_order(races, race_id)


def test_a_disqualification_moves_the_places_below_up(
    races: Races, members: Members, functions: Functions, race_id: int
) -> None:
    first = in_order(races, race_id)[0][1]
    answer = functions.call(
        "update_participant",
        by=members.staff(),
        path=f"/v1/admin/races/{race_id}/participants/{first}",
        body={"disqualified": True, "reason": "Two accounts"},
        now=START + 2 * STEP,
    )
    assert answer.status == 200
    board = pages(functions, race_id, 50)
    assert board == in_order(races, race_id)
    assert board[0] == (1, board[0][1])
    assert (None, first) in board


def test_the_next_ingest_writes_the_blocks_anew(
    races: Races,
    ingesting: Ingesting,
    functions: Functions,
    database: sa.Engine,
    race_id: int,
    people: list[Member],
    uids: list[str],
) -> None:
    ingesting.ingest(START + 2 * STEP, {uid: str(1000 - number) for number, uid in enumerate(uids)})
    assert pages(functions, race_id, 100) == [(number + 1, member.id) for number, member in enumerate(people)]
    with database.connect() as connection:
        ids = connection.scalars(
            sa.select(sa.func.unnest(race_board_blocks.c.participant_ids)).where(race_board_blocks.c.race_id == race_id)
        ).all()
    assert sorted(ids) == sorted(row.id for row in races.participants(race_id))


@pytest.mark.parametrize("legacy", [False, True])
def test_neighbours_are_those_of_the_board_at_the_ends_of_blocks_too(
    races: Races, functions: Functions, race_id: int, people: list[Member], *, legacy: bool
) -> None:
    if legacy:  # it has written every rank anew
        for row in races.participants(race_id):
            races.change_participant(row.id, rank=row.rank and row.rank + 1)
    board, by_id = in_order(races, race_id), {member.id: member for member in people}
    ranked = [place for place in board if place[0] is not None]
    for place in (0, 1, 98, 99, 100, 101, 198, 199):
        member = by_id[board[place][1]]
        path = f"/v1/races/{race_id}/standing"
        own = functions.call("get_standing", by=member, path=path, query={"around": "4"}, now=START + STEP).json
        around = ranked[max(0, place - 4) : place], ranked[place + 1 : place + 5]
        assert tuple([(item["rank"], item["user_id"]) for item in own[side]] for side in ("above", "below")) == around

"""GET /v1/races/history/{id}: one race of the archive."""

from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.races.results import settlement
from goatedvips.models.accounts import users
from goatedvips.models.wagers import feeds
from tests.support.arena import SETTLED_AT, Arena
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.races import Races


def get(functions: Functions, archive_id: object) -> Answer:
    return functions.call("get_past_race", path=f"/v1/races/history/{archive_id}")


def hide(database: sa.Engine, member: Member, *, hides: bool) -> None:
    with database.connect() as connection:
        connection.execute(sa.update(users).where(users.c.id == member.id).values(hide_name=hides))


def test_a_settled_race_has_its_results_and_the_digests_of_both_feeds(
    arena: Arena, functions: Functions, database: sa.Engine
) -> None:
    race_id, players = arena.ended("50", "60", title="June")
    with database.begin() as connection:
        settlement.settle_due(connection, race_id, now=SETTLED_AT)
        digests = connection.execute(sa.select(feeds.c.sha256).order_by(feeds.c.requested_at)).scalars().all()
    row = arena.archived(race_id)
    answer = get(functions, row.id)
    assert (answer.status, answer.json) == (
        200,
        {
            "race": {
                "id": row.id,
                "race_id": race_id,
                "title": "June",
                "type": "weekly",
                "month": "June",
                "year": "2026",
                "prize_pool": "100.01",
                "start_date": "2026-06-01T00:00:00Z",
                "end_date": "2026-06-08T00:00:00Z",
                "total_wagered": "110.00",
                "participant_count": 2,
            },
            "participants": row.participants,
            "min_wager": "10.00",
            "prize_distribution": {"1": 50, "2": 30, "3": 20},
            "paid": "80.01",
            "unallocated": "20.00",
            "start_feed": {"sha256": digests[0], "requested_at": "2026-06-01T00:00:00Z"},
            "end_feed": {"sha256": digests[1], "requested_at": "2026-06-08T00:00:00Z"},
        },
    )
    hide(database, players[1], hides=True)
    first, second = get(functions, row.id).json["participants"]
    assert first == row.participants[0] | {"user_id": None, "username": None}
    assert second == row.participants[1]
    hide(database, players[1], hides=False)
    assert get(functions, row.id).json == answer.json, "the archive keeps the name"


def test_an_adopted_row_has_neither_email_nor_uid_and_hides_whom_it_names(
    database: sa.Engine, races: Races, functions: Functions, members: Members
) -> None:
    by_id, by_name, shown = (members.new(seeds=False) for _ in range(3))
    hide(database, by_id, hides=True)
    hide(database, by_name, hides=True)
    entries: list[Any] = [
        {"userId": by_id.id, "username": "old name", "email": by_id.email, "uid": "u1", "totalWager": 12.5},
        {"user_id": str(by_id.id), "name": "old name"},
        {"displayName": by_name.username, "Email": "x@example.com", "stats": {"UID": "u2", "rank": 2}},
        {"userId": shown.id, "username": by_name.username},
        {"userId": 10**12, "username": shown.username},
        {"userId": None, "username": by_name.username},
        {"userId": "a-casino-account", "username": shown.username},
        {"nested": [{"player": by_name.username}]},
        "a text",
        None,
    ]
    archive_id = races.archive(participants=entries, metadata={"paid": "1.00", "note": "of the legacy application"})
    answer = get(functions, archive_id)
    assert answer.status == 200
    assert answer.json["participants"] == [
        {"userId": None, "username": None, "totalWager": 12.5},
        {"user_id": None, "name": None},
        {"displayName": None, "stats": {"rank": 2}},
        {"userId": shown.id, "username": by_name.username},
        {"userId": 10**12, "username": shown.username},
        {"username": None},
        {"username": shown.username},
        {"nested": [{"player": None}]},
        "a text",
        None,
    ]
    assert (answer.json["paid"], answer.json["start_feed"]) == (None, None)


@pytest.mark.parametrize("participants", [{}, [], "text", 7, {"userId": 1}])
def test_an_adopted_row_of_any_shape_is_answered(races: Races, functions: Functions, participants: object) -> None:
    assert get(functions, races.archive(participants=participants)).status == 200


def test_at_most_1000_participants_are_shown(races: Races, functions: Functions) -> None:
    archive_id = races.archive(participants=[{"rank": rank} for rank in range(1, 1_102)])
    shown = get(functions, archive_id).json["participants"]
    assert shown == [{"rank": rank} for rank in range(1, 1_001)]


@pytest.mark.parametrize("archive_id", [2**31 - 1, 2**31, 0, "one"])
def test_an_unknown_race_is_not_found(functions: Functions, archive_id: object) -> None:
    assert (get(functions, archive_id).status, get(functions, archive_id).json["code"]) == (404, "not_found")

"""PATCH /v1/admin/races/{id}/participants/{user_id}: staff disqualify a participant, or take that back."""

import secrets
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.operations import audit_log
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.races import END, START, Races
from tests.support.readings import Readings

NOW = START + timedelta(days=1)
REASON = "Two accounts of one person."


def change(functions: Functions, race_id: object, member_id: object, by: Member, **changes: Any) -> Answer:
    body = {"disqualified": True, "reason": REASON} | changes.pop("body", {})
    path = f"/v1/admin/races/{race_id}/participants/{member_id}"
    return functions.call("update_participant", by=by, path=path, body=body, **{"now": NOW} | changes)


@pytest.fixture
def racers(races: Races, members: Members, readings: Readings) -> tuple[int, list[Member]]:
    """A race of four with the ranks 1, 2, 2 and 4, and a fifth below the minimum, from two readings."""
    totals = ("150", "130", "130", "120", "105")
    people = [members.new(uid=f"uid-{secrets.token_hex(6)}") for _ in totals]
    uids = [f"{member.id}" for member in people]
    for member, uid in zip(people, uids, strict=True):
        members.change(member, uid=uid)
    readings.feed(START, dict.fromkeys(uids, "100"))
    readings.feed(NOW - timedelta(minutes=5), dict(zip(uids, totals, strict=True)))
    race_id = races.new()
    for member, rank, total in zip(people, (1, 2, 2, 4, None), totals, strict=True):
        races.enter(race_id, member.id, rank=rank, total_wager=Decimal(total) - 100)
    return race_id, people


def ranks(races: Races, race_id: int, people: list[Member]) -> list[int | None]:
    by_member = {row.user_id: row.rank for row in races.participants(race_id)}
    return [by_member[member.id] for member in people]


def test_the_others_move_up_at_once_and_back_again(
    races: Races, members: Members, functions: Functions, racers: tuple[int, list[Member]]
) -> None:
    (race_id, people), staff = racers, members.staff()
    answer = change(functions, race_id, people[0].id, staff)
    assert (answer.status, answer.json) == (
        200,
        {
            "race_id": race_id,
            "user_id": people[0].id,
            "rank": None,
            "total_wager": "50.00",
            "disqualified_at": "2026-06-02T00:00:00Z",
        },
    )
    assert ranks(races, race_id, people) == [None, 1, 1, 3, None]
    board = functions.call("get_leaderboard", path=f"/v1/races/{race_id}/leaderboard", now=NOW).json["items"]
    assert [item["rank"] for item in board] == [1, 1, 3, None, None], "they are still listed"
    standing = functions.call("get_standing", by=people[0], path=f"/v1/races/{race_id}/standing", now=NOW).json
    assert (standing["unranked_reason"], standing["missing"]) == ("disqualified", None)
    assert change(functions, race_id, people[1].id, staff).json["rank"] is None
    assert ranks(races, race_id, people) == [None, None, 1, 2, None]
    for member in people[:2]:
        back = change(functions, race_id, member.id, staff, body={"disqualified": False})
        assert (back.status, back.json["disqualified_at"]) == (200, None)
    assert back.json["rank"] == 2
    assert ranks(races, race_id, people) == [1, 2, 2, 4, None]


def test_the_audit_log_records_it_once_with_the_reason(
    races: Races, members: Members, functions: Functions, database: sa.Engine, racers: tuple[int, list[Member]]
) -> None:
    (race_id, people), staff = racers, members.staff()
    first = change(functions, race_id, people[0].id, staff)
    again = change(functions, race_id, people[0].id, staff, now=NOW + timedelta(hours=1))
    assert (again.status, again.json) == (200, first.json)
    entries = sa.select(audit_log).where(audit_log.c.staff_id == staff.id)
    with database.connect() as connection:
        (entry,) = connection.execute(entries)
    row = next(row for row in races.participants(race_id) if row.user_id == people[0].id)
    assert (entry.action, entry.subject_id, entry.created_at) == ("update_participant", row.id, NOW)
    assert (entry.before, entry.after) == (
        {"disqualified": False, "reason": None},
        {"disqualified": True, "reason": REASON},
    )
    details = functions.call("get_member", by=staff, path=f"/v1/admin/members/{people[0].id}").json
    assert [found["action"] for found in details["audit"]] == ["update_participant"]
    other = functions.call("get_member", by=staff, path=f"/v1/admin/members/{people[1].id}").json
    assert other["audit"] == []


def test_before_the_start_nothing_is_ranked(races: Races, members: Members, functions: Functions) -> None:
    race_id, member = races.new(), members.new()
    races.enter(race_id, member.id, rank=5)  # as the legacy application may have it
    answer = change(functions, race_id, member.id, members.staff(), now=START - timedelta(seconds=1))
    assert (answer.status, answer.json["rank"]) == (200, 5)
    assert answer.json["disqualified_at"] == "2026-05-31T23:59:59Z"


def test_after_the_end_it_is_possible_until_the_settlement(
    races: Races, members: Members, functions: Functions, database: sa.Engine, racers: tuple[int, list[Member]]
) -> None:
    (race_id, people), staff = racers, members.staff()
    assert change(functions, race_id, people[0].id, staff, now=END + timedelta(minutes=29)).status == 200
    with database.connect() as connection:
        connection.execute(sa.text("UPDATE wager_races SET settled_at = now() WHERE id = :id"), {"id": race_id})
    for body in ({"disqualified": False}, {"disqualified": True}):
        refused = change(functions, race_id, people[0].id, staff, body=body)
        assert (refused.status, refused.json["code"]) == (409, "race_settled")
    refused = change(functions, race_id, people[1].id, staff)
    assert (refused.status, ranks(races, race_id, people)) == (409, [None, 1, 1, 3, None])


def test_in_a_cancelled_race_nobody_is_disqualified(races: Races, members: Members, functions: Functions) -> None:
    race_id, member = races.new(cancelled_at=START), members.new()
    races.enter(race_id, member.id)
    refused = change(functions, race_id, member.id, members.staff())
    assert (refused.status, refused.json["code"]) == (409, "race_frozen")


def test_who_has_not_joined_is_not_found(races: Races, members: Members, functions: Functions) -> None:
    race_id, member, staff = races.new(), members.new(), members.staff()
    races.enter(races.new(), member.id)
    for member_id in (member.id, 2**31 - 1, 2**31, 0, "one"):
        assert change(functions, race_id, member_id, staff).status == 404
    for other in (2**31 - 1, "one"):
        assert change(functions, other, member.id, staff).status == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"disqualified": None}, "/disqualified"),
        ({"disqualified": "true"}, "/disqualified"),
        ({"disqualified": 1}, "/disqualified"),
        ({"reason": ""}, "/reason"),
        ({"reason": "\u2800"}, "/reason"),
        ({"reason": "x" * 10_001}, "/reason"),
        ({"rank": 1}, "/rank"),
    ],
)
def test_an_invalid_change_is_refused(
    races: Races, members: Members, functions: Functions, body: dict[str, object], pointer: str
) -> None:
    race_id, member = races.new(), members.new()
    races.enter(race_id, member.id)
    refused = change(functions, race_id, member.id, members.staff(), body=body)
    assert (refused.status, [error["pointer"] for error in refused.json["errors"]]) == (422, [pointer])

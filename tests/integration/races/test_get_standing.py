"""GET /v1/races/{id}/standing: a member's own standing, why they have no rank, and who is next to them."""

import secrets
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.races import END, START, Races

NOW = START + timedelta(days=2)


def standing(functions: Functions, race_id: object, by: Member, **query: str) -> Answer:
    return functions.call("get_standing", by=by, now=NOW, path=f"/v1/races/{race_id}/standing", query=query)


def test_a_ranked_member_sees_their_rank(races: Races, members: Members, functions: Functions) -> None:
    race_id, member = races.new(), members.new(uid=f"uid-{secrets.token_hex(6)}")
    races.enter(race_id, member.id, rank=7, total_wager=Decimal("12.50"))
    races.read(race_id, NOW - timedelta(minutes=31))
    answer = standing(functions, race_id, member)
    assert (answer.status, answer.json) == (
        200,
        {
            "rank": 7,
            "total_wager": "12.50",
            "unranked_reason": None,
            "missing": None,
            "wager_history": [],
            "as_of": "2026-06-02T23:29:00Z",
            "stale": True,
            "above": [],
            "below": [],
        },
    )
    assert "ETag" not in answer.headers


@pytest.mark.parametrize(
    ("reason", "score", "missing", "columns", "of_participant"),
    [
        ("not_linked", "0", None, {"uid": None}, {}),
        ("no_wager", "0", "10.00", {}, {}),
        ("below_min_wager", "0.01", "9.99", {}, {}),
        ("below_min_wager", "9.99", "0.01", {}, {}),
        (None, "10.00", None, {}, {}),
        ("staff", "20", None, {"is_admin": True}, {}),
        ("excluded", "20", None, {"excluded_permanently": True}, {}),
        ("excluded", "20", None, {"excluded_until": START, "excluded_since": START - timedelta(days=9)}, {}),
        ("excluded", "20", None, {"excluded_until": END, "excluded_since": END - timedelta(seconds=1)}, {}),
        (None, "20", None, {"excluded_until": END, "excluded_since": END}, {}),
        ("disqualified", "20", None, {}, {"disqualified_at": START}),
    ],
)
def test_an_unranked_member_is_given_the_reason(
    races: Races,
    members: Members,
    functions: Functions,
    reason: str | None,
    score: str,
    missing: str | None,
    columns: dict[str, Any],
    of_participant: dict[str, Any],
) -> None:
    race_id, member = races.new(), members.new(**{"uid": f"uid-{secrets.token_hex(6)}"} | columns)
    entered = races.enter(race_id, member.id, rank=1, total_wager=Decimal(score), **of_participant)
    assert standing(functions, race_id, member).json["unranked_reason"] is None, "what the board shows holds"
    races.change_participant(entered, rank=None)
    answer = standing(functions, race_id, member).json
    assert (answer["unranked_reason"], answer["missing"], answer["rank"]) == (reason, missing, None)
    assert (answer["above"], answer["below"]) == ([], [])


def test_a_race_without_a_minimum_asks_for_a_cent(races: Races, members: Members, functions: Functions) -> None:
    race_id, member = races.new(min_wager=Decimal(0)), members.new(uid=f"uid-{secrets.token_hex(6)}")
    races.enter(race_id, member.id)
    answer = standing(functions, race_id, member).json
    assert (answer["unranked_reason"], answer["missing"]) == ("no_wager", "0.01")


def test_around_has_those_next_to_the_member_on_either_side(
    races: Races, members: Members, functions: Functions
) -> None:
    race_id, other, people = races.new(), races.new(), [members.new() for _ in range(7)]
    for number, rank in enumerate((1, 2, 2, 2, 5, None, None)):
        races.enter(race_id, people[number].id, rank=rank, total_wager=Decimal(9 - number))
        races.enter(other, people[number].id, rank=number + 1, total_wager=Decimal(1))
    members.change(people[1], hide_name=True)
    races.enter(race_id, people[0].id, rank=2)  # repeats a row, as the legacy application did
    shell = members.shell(f"uid-{secrets.token_hex(6)}")
    races.enter(race_id, shell.id, rank=3)

    def item(number: int, rank: int | None) -> dict[str, Any]:
        hidden = number == 1
        return {
            "rank": rank,
            "user_id": None if hidden else people[number].id,
            "username": None if hidden else people[number].username,
            "total_wager": f"{9 - number}.00",
        }

    middle = standing(functions, race_id, people[2], around="2").json
    assert (middle["above"], middle["below"]) == ([item(0, 1), item(1, 2)], [item(3, 2), item(4, 5)])
    nearest = standing(functions, race_id, people[2], around="1").json
    assert (nearest["above"], nearest["below"]) == ([item(1, 2)], [item(3, 2)])
    first, last = (standing(functions, race_id, people[number], around="50").json for number in (0, 4))
    assert (first["above"], first["below"]) == ([], [item(1, 2), item(2, 2), item(3, 2), item(4, 5)])
    assert (last["above"], last["below"]) == ([item(0, 1), item(1, 2), item(2, 2), item(3, 2)], [])
    for without_neighbours in (
        standing(functions, race_id, people[2]),
        standing(functions, race_id, people[5], around="5"),
    ):
        assert (without_neighbours.json["above"], without_neighbours.json["below"]) == ([], [])


@pytest.mark.parametrize("around", ["51", "-1", "1.0", "five", "1_0", ""])
def test_a_wrong_number_of_neighbours_is_refused(
    races: Races, members: Members, functions: Functions, around: str
) -> None:
    race_id, member = races.new(), members.new()
    races.enter(race_id, member.id)
    refused = standing(functions, race_id, member, around=around)
    assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/around"), refused.text


def test_who_has_not_joined_is_not_found(races: Races, members: Members, functions: Functions) -> None:
    race_id, member = races.new(), members.new()
    races.enter(race_id, members.new().id, rank=1)
    for asked in (race_id, 2**31 - 1, 2**31, 0, "one"):
        assert standing(functions, asked, member, around="5").status == 404

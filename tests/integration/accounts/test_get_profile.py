"""A member as everybody sees them."""

import secrets
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.support.functions import Answer, Functions
from tests.support.members import Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def profile(functions: Functions, user_id: object, **changes: Any) -> Answer:
    return functions.call("get_profile", path=f"/v1/users/{user_id}", **changes)


def test_it_shows_this_and_nothing_private(functions: Functions, members: Members) -> None:
    uid = f"uid-{secrets.token_hex(4)}"
    member = members.new(
        bio="Grass, mostly.",
        verified=True,
        uid=uid,
        total_wager=Decimal("12345.678"),
        excluded_permanently=True,
        created_at=NOON,
        last_active=NOON,
    )
    answer = profile(functions, member.id)
    assert answer.status == 200
    assert answer.json == {
        "id": member.id,
        "username": member.username,
        "bio": "Grass, mostly.",
        "profile_color": "#D7FF00",
        "verified": True,
        "tier": "Bronze",
        "joined": "2026-05-01T12:00:00Z",
    }
    assert not any(secret in answer.text for secret in (member.email, uid, "12345"))


def test_it_is_the_same_for_everybody(functions: Functions, members: Members) -> None:
    member = members.new()
    answers = {profile(functions, member.id, by=by).text for by in (None, member, members.new(), members.staff())}
    assert len(answers) == 1


def test_an_adopted_row_is_answered_as_it_is(functions: Functions, members: Members) -> None:
    name = "ein Name, länger als dreißig Zeichen " + secrets.token_hex(8)
    member = members.new(username=name, username_key=None)
    members.change(member, bio="x" * 5000, profile_color="tomato", total_wager=Decimal("NaN"), tier=None)
    answer = profile(functions, member.id).json
    assert (answer["username"], answer["bio"], answer["profile_color"]) == (name, "x" * 5000, "tomato")
    assert (answer["verified"], answer["tier"]) == (False, None)
    members.change(member, profile_color=None)
    assert profile(functions, member.id).json["profile_color"] is None


def test_a_hidden_name_is_null_in_the_profile(functions: Functions, members: Members) -> None:
    member = members.new(hide_name=True, bio="Grass.")
    answer = profile(functions, member.id)
    assert (answer.json["username"], answer.json["bio"]) == (None, "Grass.")
    assert member.username not in answer.text


@pytest.mark.parametrize("gone", [{"erased_at": NOON}, {"suspended_at": NOON}], ids=["erased", "suspended"])
def test_a_suspended_or_erased_member_has_no_profile(
    functions: Functions, members: Members, gone: dict[str, Any]
) -> None:
    member = members.new(bio="Secret")
    members.change(member, **gone)
    answer = profile(functions, member.id)
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert "Secret" not in answer.text


def test_a_shell_has_no_profile(functions: Functions, members: Members) -> None:
    assert profile(functions, members.shell("uid-without-a-profile").id).status == 404


@pytest.mark.parametrize("user_id", [2**31 - 1, 2**31, 10**30, 0, -1, "one", "1.0", "%31", "1 or 1=1", "\x00"])
def test_an_unknown_member_has_no_profile(functions: Functions, user_id: object) -> None:
    assert profile(functions, user_id).status == 404


def test_if_none_match_answers_304(functions: Functions, members: Members) -> None:
    member = members.new()
    tag = profile(functions, member.id).headers["ETag"]
    same = profile(functions, member.id, headers={"if-none-match": tag})
    assert (same.status, same.text) == (304, "")
    members.change(member, tier="Bronze")
    assert profile(functions, member.id, headers={"if-none-match": tag}).status == 200

"""Members change what they say of themselves."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.functions import Functions
from tests.support.members import Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ODD = "🐐\N{ZERO WIDTH JOINER}\N{RIGHT-TO-LEFT OVERRIDE}<b>'; DROP TABLE users --\n"
GIVEN = {"bio": "Grass, mostly.", "profile_color": "#00ff7F", "hide_name": True}


def test_the_answer_is_the_member_s_account(functions: Functions, members: Members) -> None:
    member, other = members.new(), members.new()
    untouched = functions.call("get_me", by=other).json
    before = functions.call("get_me", by=member).json
    answer = functions.call("update_me", by=member, body=GIVEN)
    assert (answer.status, answer.json) == (200, before | GIVEN)
    assert functions.call("get_me", by=member).json == answer.json
    assert functions.call("get_me", by=other).json == untouched


@pytest.mark.parametrize("field", GIVEN)
def test_absent_fields_do_not_change(functions: Functions, members: Members, field: str) -> None:
    member = members.new(bio="Old", profile_color="#123456")
    before = functions.call("get_me", by=member).json
    answer = functions.call("update_me", by=member, body={field: GIVEN[field]})
    assert answer.json == before | {field: GIVEN[field]}


@pytest.mark.parametrize("body", [{}, None, {"profile_color": None, "hide_name": None}])
def test_nothing_to_change_changes_nothing(functions: Functions, members: Members, body: object) -> None:
    member = members.new(bio="Old", profile_color="#123456", hide_name=True)
    before = functions.call("get_me", by=member).json
    answer = functions.call("update_me", by=member, body=body, raw="" if body is None else None)
    assert (answer.status, answer.json) == (200, before)


def test_null_removes_the_bio_and_a_name_can_be_shown_again(functions: Functions, members: Members) -> None:
    member = members.new(bio="Old", hide_name=True)
    answer = functions.call("update_me", by=member, body={"bio": None, "hide_name": False}).json
    assert (answer["bio"], answer["hide_name"]) == (None, False)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("x" * 500, "x" * 500),
        ("e\N{COMBINING ACUTE ACCENT}" * 500, "é" * 500),  # 1,000 before NFC
        (ODD, ODD),
        ("", ""),
    ],
)
def test_a_bio_is_any_text_of_500_characters(functions: Functions, members: Members, given: str, stored: str) -> None:
    answer = functions.call("update_me", by=members.new(), body={"bio": given})
    assert (answer.status, answer.json["bio"]) == (200, stored)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"bio": "x" * 501}, "/bio"),
        ({"bio": "a\x00b"}, "/bio"),
        ({"bio": "a\ud800b"}, "/bio"),
        ({"bio": 7}, "/bio"),
        ({"bio": ["a"]}, "/bio"),
        ({"profile_color": "#12345"}, "/profile_color"),
        ({"profile_color": "#1234567"}, "/profile_color"),
        ({"profile_color": "#12345g"}, "/profile_color"),
        ({"profile_color": "#123456\n"}, "/profile_color"),
        ({"profile_color": " #123456"}, "/profile_color"),
        ({"profile_color": "#١٢٣٤٥٦"}, "/profile_color"),
        ({"profile_color": "red"}, "/profile_color"),
        ({"profile_color": 123456}, "/profile_color"),
        ({"hide_name": "true"}, "/hide_name"),
        ({"hide_name": 1}, "/hide_name"),
        ({"username": "another"}, "/username"),
        ({"is_admin": True}, "/is_admin"),
        ({"uid": "mine", "bio": "x"}, "/uid"),
    ],
)
def test_anything_else_is_refused_and_changes_nothing(
    functions: Functions, members: Members, body: dict[str, Any], pointer: str
) -> None:
    member = members.new()
    before = functions.call("get_me", by=member).json
    answer = functions.call("update_me", by=member, body=body)
    assert answer.status == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
    assert functions.call("get_me", by=member).json == before


def test_a_hidden_name_leaves_leaderboards_and_the_profile(functions: Functions, members: Members) -> None:
    member = members.new()
    path = f"/v1/users/{member.id}"
    assert functions.call("get_profile", path=path).json["username"] == member.username
    functions.call("update_me", by=member, body={"hide_name": True})
    assert functions.call("get_profile", path=path).json["username"] is None


def test_a_suspended_or_signed_out_member_changes_nothing(functions: Functions, members: Members) -> None:
    assert functions.call("update_me", body=GIVEN).json["code"] == "unauthenticated"
    ended, suspended, excluded = members.new(), members.new(suspended_at=NOON), members.new(excluded_permanently=True)
    members.end_session(ended)
    assert functions.call("update_me", by=ended, body=GIVEN).json["code"] == "unauthenticated"
    refused = functions.call("update_me", by=suspended, body=GIVEN)
    assert (refused.status, refused.json["code"]) == (403, "account_suspended")
    assert functions.call("update_me", by=excluded, body=GIVEN).status == 200

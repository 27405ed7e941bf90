"""What members see of themselves."""

import secrets
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.support.functions import Functions
from tests.support.members import Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_member_sees_everything_of_theirs_but_the_password(functions: Functions, members: Members) -> None:
    uid = f"uid-{secrets.token_hex(4)}"
    member = members.new(
        bio="Grass, mostly.",
        verified=True,
        uid=uid,
        total_wager=Decimal("1234567890.12345678"),
        wager_today=Decimal("0.1"),
        wager_week=Decimal("12.5"),
        wager_month=Decimal(40000),
        excluded_until=NOON,
        created_at=NOON,
        last_active=NOON,
        hide_name=True,
    )
    answer = functions.call("get_me", by=member)
    assert answer.status == 200
    assert answer.json == {
        "id": member.id,
        "username": member.username,
        "email": member.email,
        "email_verified": True,
        "is_staff": False,
        "bio": "Grass, mostly.",
        "profile_color": "#D7FF00",
        "verified": True,
        "uid": uid,
        "hide_name": True,
        "total_wager": "1234567890.12345678",
        "wager_today": "0.10",
        "wager_week": "12.50",
        "wager_month": "40000.00",
        "tier": "Diamond",
        "next_tier": None,
        "missing": None,
        "excluded_until": "2026-05-01T12:00:00Z",
        "excluded_permanently": False,
        "created_at": "2026-05-01T12:00:00Z",
        "last_active": "2026-05-01T12:00:00Z",
    }


def test_an_adopted_row_is_answered_as_it_is(functions: Functions, members: Members) -> None:
    member = members.new(username="ein Name, länger als dreißig Zeichen " + secrets.token_hex(8), email_verified=None)
    answer = functions.call("get_me", by=member).json
    assert (answer["username"], answer["email_verified"], answer["uid"]) == (member.username, False, None)
    assert (answer["total_wager"], answer["last_active"]) == ("0.00", None)


def test_staff_see_that_they_are_staff(functions: Functions, members: Members) -> None:
    assert functions.call("get_me", by=members.staff()).json["is_staff"] is True


def test_an_excluded_member_still_sees_themselves(functions: Functions, members: Members) -> None:
    assert functions.call("get_me", by=members.new(excluded_permanently=True)).json["excluded_permanently"] is True


def test_only_a_signed_in_member_sees_their_account(functions: Functions, members: Members) -> None:
    assert functions.call("get_me").json["code"] == "unauthenticated"
    ended = members.new()
    members.end_session(ended)
    assert functions.call("get_me", by=ended).json["code"] == "unauthenticated"
    refused = functions.call("get_me", by=members.new(suspended_at=NOON))
    assert (refused.status, refused.json["code"]) == (403, "account_suspended")


@pytest.mark.parametrize("key", ["password", "username_key", "token_hash"])
def test_nothing_secret_is_among_it(functions: Functions, members: Members, key: str) -> None:
    assert key not in functions.call("get_me", by=members.new()).json


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        ({}, ["Copper", "Bronze", "10000.00"]),
        ({"total_wager": Decimal("9999.99999999")}, ["Copper", "Bronze", "0.00000001"]),
        ({"total_wager": Decimal(10_000)}, ["Bronze", "Silver", "30000.00"]),
        ({"total_wager": Decimal(20_000_000)}, ["Diamond", None, None]),
    ],
)
def test_the_next_tier_and_what_is_missing(
    functions: Functions, members: Members, columns: dict[str, Any], shown: list[str | None]
) -> None:
    member = members.new(**columns)
    answer = functions.call("get_me", by=member).json
    assert [answer[name] for name in ("tier", "next_tier", "missing")] == shown
    changed = functions.call("update_me", by=member, body={"bio": "Grass."}).json
    assert [changed[name] for name in ("tier", "next_tier", "missing")] == shown


def test_a_tier_stays_when_the_wager_falls(functions: Functions, members: Members) -> None:
    member = members.new(total_wager=Decimal(100_000))
    members.change(member, total_wager=Decimal(1))
    answer = functions.call("get_me", by=member).json
    assert [answer[name] for name in ("tier", "next_tier", "missing")] == ["Gold", "Platinum", "449999.00"]

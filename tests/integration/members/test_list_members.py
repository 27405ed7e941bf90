"""Staff look for members."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain import access
from goatedvips.domain.members import search as domain
from tests.support import stack
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.plans import fill, plan, read_whole

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def search(functions: Functions, by: Member, **query: str) -> Answer:
    return functions.call("list_members", by=by, query=query)


def ids(answer: Answer) -> list[int]:
    assert answer.status == 200, answer.text
    return [item["id"] for item in answer.json["items"]]


def test_a_member_is_listed_with_what_staff_need(members: Members, functions: Functions) -> None:
    uid = f"uid-{secrets.token_hex(4)}"
    member = members.new(
        verified=True,
        uid=uid,
        total_wager=Decimal("40000.5"),
        suspended_at=NOON,
        suspended_reason="Chargeback",
        excluded_until=NOON,
        created_at=NOON,
        last_active=NOON,
        hide_name=True,
    )
    answer = search(functions, members.staff(), id=str(member.id))
    assert answer.json == {
        "items": [
            {
                "id": member.id,
                "username": member.username,
                "email": member.email,
                "email_verified": True,
                "is_staff": False,
                "verified": True,
                "uid": uid,
                "tier": "Silver",
                "total_wager": "40000.50",
                "suspended_at": "2026-05-01T12:00:00Z",
                "excluded_until": "2026-05-01T12:00:00Z",
                "excluded_permanently": False,
                "created_at": "2026-05-01T12:00:00Z",
                "last_active": "2026-05-01T12:00:00Z",
            }
        ],
        "next_cursor": None,
    }


def test_an_adopted_row_is_listed_as_it_is(members: Members, functions: Functions) -> None:
    member = members.new(username_key=None, email_key=None, email_verified=None)
    members.change(member, total_wager=Decimal("NaN"))
    (item,) = search(functions, members.staff(), id=str(member.id)).json["items"]
    assert (item["email_verified"], item["total_wager"], item["tier"]) == (False, "NaN", None)


def test_a_prefix_is_of_the_name_or_the_address_whatever_its_case(members: Members, functions: Functions) -> None:
    tag, staff = secrets.token_hex(5), members.staff()
    named = members.new(username=f"Ann{tag}").id
    mailed = members.new(email=f"ANN{tag}@example.com").id
    members.new(username=f"Joann{tag}")
    for prefix in (f"ann{tag}", f"ANN{tag}", f"Ann{tag[:-1]}"):
        assert set(ids(search(functions, staff, q=prefix))) == {named, mailed}
    assert ids(search(functions, staff, q=f"aNN{tag}@EXAMPLE.com")) == [mailed]
    assert ids(search(functions, staff, q=f"{tag}")) == []


@pytest.mark.parametrize("name", ["100%{}", "a_b{}", "back\\slash{}", "\\{}", "%{}", "_{}"])
def test_signs_of_patterns_stand_for_themselves(members: Members, functions: Functions, name: str) -> None:
    tag, staff = secrets.token_hex(5), members.staff()
    member = members.new(username=name.format(tag))
    for other in ("100x{}", "axb{}", "backslash{}", "{}", "x{}"):
        members.new(username=other.format(tag))
    assert ids(search(functions, staff, q=name.format(tag))) == [member.id]


def test_filters_add_up(members: Members, functions: Functions) -> None:
    tag, staff = secrets.token_hex(5), members.staff()

    def new(name: str, **columns: Any) -> int:
        return members.new(username=f"{tag}-{name}", **columns).id

    plain = new("plain")
    linked = new("linked", verified=True, total_wager=Decimal(10_000))
    gone = new("gone", suspended_at=NOON)
    away = new("away", excluded_until=NOON - timedelta(days=900), verified=True, total_wager=Decimal("39999.99999999"))
    for_good = new("for-good", excluded_permanently=True, total_wager=Decimal(40_000))

    def found(**query: str) -> set[int]:
        return set(ids(search(functions, staff, q=tag, **query)))

    everybody = {plain, linked, gone, away, for_good}
    assert found() == everybody
    assert found(verified="true") == {linked, away}
    assert found(verified="false") == everybody - {linked, away}
    assert found(suspended="true") == {gone}
    assert found(suspended="false") == everybody - {gone}
    assert found(excluded="true") == {away, for_good}, "an exclusion lasts until the member has ended it"
    assert found(excluded="false") == everybody - {away, for_good}
    assert found(tier="Bronze") == {linked, away}
    assert found(tier="Silver") == {for_good}
    assert found(tier="Copper") == {plain, gone}
    assert found(tier="Bronze", excluded="true", verified="true") == {away}
    assert found(tier="Bronze", suspended="true") == set()
    assert found(id=str(away), verified="true") == {away}
    assert found(id=str(away), verified="false") == set()


def test_a_uid_is_looked_for_exactly(members: Members, functions: Functions) -> None:
    uid, staff = f"UID-{secrets.token_hex(4)}", members.staff()
    member = members.new(uid=uid)
    assert ids(search(functions, staff, uid=uid)) == [member.id]
    assert ids(search(functions, staff, uid=uid.lower())) == []
    assert ids(search(functions, staff, uid=uid[:-1])) == []


def test_an_erased_member_is_not_listed(members: Members, functions: Functions) -> None:
    member, staff = members.new(erased_at=NOON), members.staff()
    assert ids(search(functions, staff, id=str(member.id))) == []
    assert ids(search(functions, staff, q=member.username)) == []


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"id": "0"}, "/id"),
        ({"id": "-1"}, "/id"),
        ({"id": "2147483648"}, "/id"),
        ({"id": "1.0"}, "/id"),
        ({"id": "\u0661"}, "/id"),
        ({"id": "ann"}, "/id"),
        ({"id": ""}, "/id"),
        ({"q": ""}, "/q"),
        ({"q": "x" * 255}, "/q"),
        ({"q": "a\x00b"}, "/q"),
        ({"q": "\ud800"}, "/q"),
        ({"uid": ""}, "/uid"),
        ({"uid": "\x00"}, "/uid"),
        ({"verified": "yes"}, "/verified"),
        ({"excluded": "1"}, "/excluded"),
        ({"suspended": "True"}, "/suspended"),
        ({"suspended": ""}, "/suspended"),
        ({"tier": "Tin"}, "/tier"),
        ({"tier": "silver"}, "/tier"),
        ({"tier": ""}, "/tier"),
    ],
)
def test_an_invalid_search_is_refused_with_its_pointer(
    members: Members, functions: Functions, query: dict[str, str], pointer: str
) -> None:
    refused = search(functions, members.staff(), **query)
    assert refused.status == 422, refused.text
    assert [error["pointer"] for error in refused.json["errors"]] == [pointer]


def test_text_of_any_language_is_looked_for(members: Members, functions: Functions) -> None:
    tag, staff = secrets.token_hex(5), members.staff()
    member = members.new(username=f"\u00c9lodie \U0001f410 {tag}")
    assert ids(search(functions, staff, q=f"\u00e9lodie \U0001f410 {tag}")) == [member.id]
    assert ids(search(functions, staff, q=f"E\u0301lodie \U0001f410 {tag}")) == [member.id], "as NFC it is the same"


def test_it_is_for_staff(members: Members, functions: Functions) -> None:
    demoted, suspended, signed_out = members.staff(), members.staff(suspended_at=NOON), members.staff()
    members.change(demoted, is_admin=False)
    members.end_session(signed_out)
    for query in ({}, {"q": "nobody is called so"}):
        assert search(functions, members.new(), **query).json["code"] == "forbidden"
        assert search(functions, demoted, **query).json["code"] == "forbidden"
        assert search(functions, suspended, **query).json["code"] == "account_suspended"
        assert search(functions, signed_out, **query).status == 401
    assert functions.call("list_members").status == 401


def test_a_shell_is_not_listed(functions: Functions, members: Members) -> None:
    uid = secrets.token_hex(8)
    shell = members.shell(uid)
    for query in ({"uid": uid}, {"id": str(shell.id)}, {"q": shell.username}):
        assert search(functions, members.staff(), **query).json["items"] == []


@pytest.fixture(scope="module")
def crowd(database: sa.Engine) -> Iterator[None]:
    """A hundred thousand members."""
    fill(
        database,
        "INSERT INTO users (username, email, password)"
        " SELECT md5(n::text), md5(n::text) || '@crowd.example.com', '' FROM generate_series(1, 100000) AS n",
    )
    yield
    fill(database, "DELETE FROM users WHERE email LIKE '%@crowd.example.com'")


SEARCHES = {
    "prefix": ("c4ca4238%", "lower(username)"),
    "wanted_id": (7, "id = 7"),
    "wanted_uid": ("uid-7", "uid = "),
}


@pytest.mark.parametrize("parameter", SEARCHES)
def test_a_search_by_name_or_id_is_by_index(
    servers: stack.Stack, members: Members, crowd: None, parameter: str
) -> None:
    staff = members.staff()
    value, condition = SEARCHES[parameter]
    nothing = dict.fromkeys(["prefix", "tier", *(f"wanted_{field.name}" for field in fields(domain.Search))])
    parameters = access.Caller(staff.id, staff.session_id, "test").parameters(NOON) | nothing
    parameters |= domain._NEWEST_FIRST.parameters(20, None) | {parameter: value}
    found = plan(servers.direct(os.environ["TEST_DATABASE"], "api"), domain._select_members, parameters)
    assert "users" not in read_whole(found), found
    assert any(condition in node.get("Index Cond", "") for node in found), found

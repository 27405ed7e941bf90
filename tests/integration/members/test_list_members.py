"""Staff look for members."""

import base64
import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

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
    members.change(member, total_wager=Decimal("NaN"), tier=None)
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


def test_with_a_prefix_the_order_is_that_of_the_names_it_was_found_in(members: Members, functions: Functions) -> None:
    tag, staff = secrets.token_hex(5), members.staff()

    def new(username: str, email: str) -> int:
        return members.new(username=username.format(tag), email=f"{email.format(tag)}@example.com", seeds=False).id

    expected = [
        new("{}-B", "other-1-{}"),
        new("other-2-{}", "{}-c"),
        new("{}-d", "{}-a"),
        new("other-3-{}", "{}-e"),
        new("{}-\U0001f410", "other-4-{}"),
    ]
    assert ids(search(functions, staff, q=tag)) == expected
    found: list[int] = []
    cursor: str | None = None
    for _ in expected:
        answer = search(functions, staff, q=tag, limit="1", **({"cursor": cursor} if cursor else {}))
        found += ids(answer)
        cursor = answer.json["next_cursor"]
    assert (found, cursor) == (expected, None)
    by_address = ids(search(functions, staff, q=f"{tag}-a"))
    assert by_address == [expected[2]], "whose username has the shorter prefix only"


def test_a_cursor_with_a_spoilt_name_is_refused(members: Members, functions: Functions) -> None:
    tag, staff = secrets.token_hex(5), members.staff()
    for number in range(2):
        members.new(username=f"{tag}-{number}", seeds=False)
    cursor = search(functions, staff, q=tag, limit="1").json["next_cursor"]
    mark, _, member_id = base64.urlsafe_b64decode(cursor).decode().split(",")
    for name in ("x00", "xff", "x6", "", "x", "61"):
        spoilt = base64.urlsafe_b64encode(f"{mark},{name},{member_id}".encode()).decode()
        answer = search(functions, staff, q=tag, cursor=spoilt)
        if name == "x":  # an empty name is before all names
            assert len(ids(answer)) == 2
        else:
            assert [error["pointer"] for error in answer.json["errors"]] == ["/cursor"], name


def test_members_of_every_state_are_in_one_order(members: Members, functions: Functions) -> None:
    tag, staff = secrets.token_hex(5), members.staff()
    made = []
    for number, (verified, suspended, excluded, (total, tier)) in enumerate(
        product((True, False), (NOON, None), (NOON, None), (("NaN", None), ("0", "Copper"), ("40000", "Silver")))
    ):
        member = members.new(username=f"{tag}-{number:02}", verified=verified, suspended_at=suspended, seeds=False)
        members.change(member, excluded_until=excluded, total_wager=Decimal(total), tier=tier)
        made.append(member.id)
    assert ids(search(functions, staff, q=tag, limit="100")) == made
    assert ids(search(functions, staff, limit="24")) == made[::-1]

"""GET /v1/codes: a member lists the codes that they have claimed."""

from datetime import UTC, datetime

from tests.support.codes import Codes
from tests.support.functions import Functions
from tests.support.members import Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_the_list_has_a_claim_as_claim_code_answered_it(members: Members, functions: Functions, codes: Codes) -> None:
    member = members.new()
    for columns in ({}, {"value": None}):
        claimed = functions.call("claim_code", by=member, body={"code": codes.new(**columns).code}, now=NOON)
        assert claimed.status == 201
        listed = functions.call("list_codes", by=member, query={"limit": "1"})
        assert (listed.status, listed.json["items"]) == (200, [claimed.json])


def test_the_newest_claim_comes_first_and_claims_of_others_are_not_listed(
    members: Members, functions: Functions, codes: Codes
) -> None:
    member, other = members.new(), members.new()
    claims = [codes.claimed(owner.id, NOON) for owner in (member, other, member)]
    listed = functions.call("list_codes", by=member).json
    assert [item["id"] for item in listed["items"]] == [claims[2], claims[0]]
    assert listed["next_cursor"] is None


def test_a_member_without_claims_has_an_empty_list(members: Members, functions: Functions, codes: Codes) -> None:
    codes.claimed(members.new().id, NOON)
    assert functions.call("list_codes", by=members.new()).json == {"items": [], "next_cursor": None}


def test_an_anonymous_caller_is_refused(functions: Functions) -> None:
    assert functions.call("list_codes").status == 401

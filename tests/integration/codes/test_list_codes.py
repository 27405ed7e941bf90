"""A member lists the codes they have claimed."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from goatedvips.domain.codes import claims
from goatedvips.models.codes import bonus_codes, code_claims
from tests.support.cursors import forge
from tests.support.functions import Functions
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def give(database: sa.Engine, member: Member, count: int) -> list[int]:
    """Claims of as many codes, as they stand in the tables; their ids, oldest first."""
    given = []
    with database.connect() as connection:
        for minute in range(count):
            code = {"code": secrets.token_hex(8), "expires_at": NOON, "value": "2.50", "claims": 1, "is_used": True}
            code_id = connection.execute(sa.insert(bonus_codes).values(code).returning(bonus_codes.c.id)).scalar_one()
            claim = {"code_id": code_id, "user_id": member.id, "claimed_at": NOON + timedelta(minutes=minute)}
            given.append(
                connection.execute(sa.insert(code_claims).values(claim).returning(code_claims.c.id)).scalar_one()
            )
    return given


def test_a_claim_reads_as_it_was_answered(members: Members, functions: Functions, database: sa.Engine) -> None:
    member = members.new()
    with database.connect() as connection:
        code = {"code": f"LIST-{member.id}", "expires_at": NOON + timedelta(days=1), "value": None, "max_claims": None}
        connection.execute(sa.insert(bonus_codes).values(code))
    claimed = functions.call("claim_code", by=member, body={"code": code["code"]}, now=NOON)
    assert claimed.status == 201
    listed = functions.call("list_codes", by=member)
    assert (listed.status, listed.json) == (200, {"items": [claimed.json], "next_cursor": None})


def test_pages_hold_every_claim_once_newest_first(members: Members, functions: Functions, database: sa.Engine) -> None:
    member = members.new()
    given = give(database, member, 5)
    give(database, members.new(), 2)
    seen, cursor = [], None
    for size in (2, 2, 1):
        page = functions.call(
            "list_codes", by=member, query={"limit": "2"} | ({"cursor": cursor} if cursor else {})
        ).json
        assert len(page["items"]) == size
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert seen == given[::-1]


def test_a_page_has_twenty_claims_unless_asked_otherwise(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member = members.new()
    give(database, member, 21)
    page = functions.call("list_codes", by=member, query={}).json
    assert len(page["items"]) == 20
    assert page["next_cursor"] is not None
    assert len(functions.call("list_codes", by=member, query={"limit": "100"}).json["items"]) == 21


def test_nobody_has_claims_before_the_first(members: Members, functions: Functions, database: sa.Engine) -> None:
    give(database, members.new(), 1)
    assert functions.call("list_codes", by=members.new()).json == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": "0"}, "/limit"),
        ({"limit": "101"}, "/limit"),
        ({"limit": "-1"}, "/limit"),
        ({"limit": "1e1"}, "/limit"),
        ({"limit": "٣"}, "/limit"),
        ({"limit": ""}, "/limit"),
        ({"cursor": "x"}, "/cursor"),
        ({"cursor": ""}, "/cursor"),
        ({"cursor": "MSwy"}, "/cursor"),
        ({"cursor": "é"}, "/cursor"),
    ],
)
def test_a_page_that_there_cannot_be_is_refused(
    members: Members, functions: Functions, query: dict[str, str], pointer: str
) -> None:
    refused = functions.call("list_codes", by=members.new(), query=query)
    assert (refused.status, refused.json["code"]) == (422, "validation_failed")
    assert [error["pointer"] for error in refused.json["errors"]] == [pointer]


def test_a_cursor_past_every_id_is_the_lists_end_or_beginning(members: Members, functions: Functions) -> None:
    for number in (10**18 - 1, 1 - 10**18):
        cursor = forge(claims._NEWEST_FIRST, number)
        assert functions.call("list_codes", by=members.new(), query={"cursor": cursor}).status == 200


def test_a_stranger_has_no_list(functions: Functions) -> None:
    assert functions.call("list_codes").status == 401

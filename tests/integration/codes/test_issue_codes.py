"""POST /v1/admin/codes: staff issue a bonus code."""

import json
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.codes import bonus_codes
from goatedvips.models.operations import audit_log
from tests.support.functions import Answer, Context, Functions, event, load
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = "2026-06-01T00:00:00Z"


def issue(functions: Functions, by: Member, **fields: object) -> Answer:
    """Send a request of its own, which no stored answer is replayed for."""
    body, headers = {"value": "5.00", "expires_at": LATER} | fields, {"idempotency-key": secrets.token_hex(8)}
    return functions.call("issue_codes", by=by, body=body, now=NOON, headers=headers)


def new_name() -> str:
    return f"Summer {secrets.token_hex(6)}"


def audit_entries(database: sa.Engine, staff: Member) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        rows = connection.execute(sa.select(audit_log).where(audit_log.c.staff_id == staff.id).order_by(audit_log.c.id))
        return list(rows.all())


def test_a_named_code_is_issued_with_this_name(members: Members, functions: Functions, database: sa.Engine) -> None:
    name = new_name()
    answer = issue(
        functions, members.staff(), code=name, currency="USD", max_claims=3, starts_at="2026-05-02T02:00:00+02:00"
    )
    assert answer.status == 201
    assert answer.json == {
        "id": answer.json["id"],
        "code": name,
        "value": "5.00",
        "currency": "USD",
        "starts_at": "2026-05-02T00:00:00Z",
        "expires_at": LATER,
        "max_claims": 3,
        "claims": 0,
        "user_id": None,
    }
    with database.connect() as connection:
        row = connection.execute(sa.select(bonus_codes).where(bonus_codes.c.id == answer.json["id"])).one()
    assert (row.code, row.code_key) == (name, name.replace(" ", "").upper())
    assert (row.is_used, row.claimed_at, row.claims, row.max_claims) == (False, NOON, 0, 3)
    assert row.starts_at == datetime(2026, 5, 2, tzinfo=UTC)


def test_a_code_without_a_name_is_generated_and_anyone_can_claim_it(members: Members, functions: Functions) -> None:
    staff = members.staff()
    codes = {issue(functions, staff).json["code"] for _ in range(3)}
    assert len(codes) == 3
    assert all(re.fullmatch(r"[2-9A-HJ-NP-Z]{4}(-[2-9A-HJ-NP-Z]{4}){3}", code) for code in codes)
    answer = issue(functions, staff, code=None, max_claims=None).json
    assert (answer["max_claims"], answer["starts_at"]) == (None, None)
    for _ in range(2):
        assert functions.call("claim_code", by=members.new(), body={"code": answer["code"]}, now=NOON).status == 201


def test_only_the_owner_can_claim_an_owned_code_and_only_once(members: Members, functions: Functions) -> None:
    owner = members.new()
    for given in ({}, {"max_claims": None}, {"max_claims": 50}):
        answer = issue(functions, members.staff(), user_id=owner.id, **given)
        assert (answer.status, answer.json["user_id"], answer.json["max_claims"]) == (201, owner.id, 1)
    code = {"code": answer.json["code"]}
    assert functions.call("claim_code", by=members.new(), body=code, now=NOON).status == 404
    assert functions.call("claim_code", by=owner, body=code, now=NOON).status == 201


def test_the_audit_log_records_an_issued_code(members: Members, functions: Functions, database: sa.Engine) -> None:
    staff, name = members.staff(), new_name()
    issued = issue(functions, staff, code=name)
    (row,) = audit_entries(database, staff)
    assert (row.action, row.subject_id, row.before, row.created_at) == ("issue_code", issued.json["id"], None, NOON)
    assert row.request_id == issued.headers["X-Request-Id"]
    assert row.after == {
        "id": issued.json["id"],
        "code": name,
        "value": 5.0,
        "currency": "USD",
        "starts_at": None,
        "expires_at": "2026-06-01T00:00:00",
        "max_claims": None,
        "claims": 0,
        "user_id": None,
    }


def test_a_name_that_differs_only_in_case_spaces_and_dashes_is_taken(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    staff, name = members.staff(), new_name()
    assert issue(functions, staff, code=name).status == 201
    for same in (name, name.upper(), name.replace(" ", "-"), name.lower().replace(" ", "")):
        refused = issue(functions, staff, code=same)
        assert (refused.status, refused.json["code"]) == (409, "code_taken")
    assert len(audit_entries(database, staff)) == 1


def test_the_name_of_an_adopted_code_without_a_key_is_taken(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    staff, name = members.staff(), f"OLD{secrets.token_hex(6)}".upper()
    with database.connect() as connection:
        for adopted in (name, name.lower()):  # the key of the second would be the same, so it has none
            connection.execute(sa.insert(bonus_codes).values(code=adopted, expires_at=NOON))
        keys = connection.execute(sa.select(bonus_codes.c.code_key).where(bonus_codes.c.code.in_([name, name.lower()])))
        assert set(keys.scalars()) == {name, None}
        connection.execute(sa.delete(bonus_codes).where(bonus_codes.c.code == name))
    assert issue(functions, staff, code=name.lower()).status == 409


def test_an_owner_must_exist(members: Members, functions: Functions, database: sa.Engine) -> None:
    staff = members.staff()
    refused = issue(functions, staff, user_id=2**31 - 1)
    assert refused.status == 422
    assert [error["pointer"] for error in refused.json["errors"]] == ["/user_id"]
    assert audit_entries(database, staff) == []


def test_only_a_caller_who_is_staff_in_the_database_issues_codes(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    assert functions.call("issue_codes").status == 401
    member = members.new()
    refused = issue(functions, member, value="wrong")
    assert (refused.status, refused.json["code"]) == (403, "forbidden"), "the right is checked before the body"
    for columns, expected in (
        ({"is_admin": False}, (403, "forbidden")),
        ({"suspended_at": NOON}, (403, "account_suspended")),
    ):
        staff, name = members.staff(), new_name()
        members.change(staff, **columns)
        refused = issue(functions, staff, code=name)
        assert (refused.status, refused.json["code"]) == expected
        with database.connect() as connection:
            assert connection.execute(sa.select(bonus_codes.c.id).where(bonus_codes.c.code == name)).all() == []
    staff = members.staff()
    members.end_session(staff)
    assert issue(functions, staff).status == 401


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("code", ""),
        ("code", "ab"),
        ("code", "a" * 65),
        ("code", "---"),
        ("code", "-abc"),
        ("code", "abc-"),
        ("code", " abc"),
        ("code", "ab+cd"),
        ("code", "abc\n"),
        ("code", "abç"),
        ("code", "=1+1"),
        ("code", "abc\x00"),
        ("code", "ab\ud800"),
        ("code", 12345),
        ("value", "0.00"),
        ("value", "100000000"),
        ("value", "1.005"),
        ("value", "-1.00"),
        ("value", "1e3"),
        ("value", "NaN"),
        ("value", 5),
        ("value", None),
        ("currency", "EUR"),
        ("currency", None),
        ("starts_at", "2026-06-01T00:00:00Z"),
        ("expires_at", "2026-05-01T12:00:00Z"),
        ("expires_at", "2026-06-01T00:00:00"),
        ("expires_at", "0001-01-01T00:00:00+23:00"),
        ("expires_at", 1780272000),
        ("expires_at", None),
        ("max_claims", 0),
        ("max_claims", 2**31),
        ("max_claims", True),
        ("max_claims", "1"),
        ("max_claims", 1.0),
        ("user_id", 0),
        ("user_id", 2**31),
        ("user_id", True),
        ("claims", 1),
    ],
)
def test_an_invalid_field_is_named_and_nothing_is_issued(
    members: Members, functions: Functions, database: sa.Engine, field: str, value: object
) -> None:
    staff = members.staff()
    refused = issue(functions, staff, **{field: value})
    assert refused.status == 422
    pointer = "/expires_at" if field == "starts_at" else f"/{field}"
    assert [error["pointer"] for error in refused.json["errors"]] == [pointer]
    assert audit_entries(database, staff) == []


def test_the_largest_values_and_the_shortest_lifetime_are_accepted(members: Members, functions: Functions) -> None:
    staff = members.staff()
    largest = issue(functions, staff, value="99999999.99", max_claims=2**31 - 1)
    assert (largest.json["value"], largest.json["max_claims"]) == ("99999999.99", 2**31 - 1)
    soon = (NOON + timedelta(microseconds=1)).isoformat()
    assert issue(functions, staff, expires_at=soon, value="0.01").json["expires_at"] == "2026-05-01T12:00:00.000001Z"
    assert issue(functions, staff, expires_at="9999-12-31T23:59:59.999999Z").status == 201
    assert issue(functions, staff, code=f"A_B - {secrets.token_hex(6)}  c").status == 201
    assert issue(functions, staff, code="a" * 3 + secrets.token_hex(30) + "z").status == 201


def test_a_request_without_an_idempotency_key_is_refused(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    staff = members.staff()
    request = event("issue_codes", by=staff)
    del request["headers"]["idempotency-key"]
    refused = load("issue_codes").handler(request, Context("issue_codes", "test"))
    problem = json.loads(refused["body"])
    assert (refused["statusCode"], [error["pointer"] for error in problem["errors"]]) == (422, [""])
    assert audit_entries(database, staff) == []


def test_nobody_issues_a_code_to_themselves(members: Members, functions: Functions, database: sa.Engine) -> None:
    staff = members.staff()
    refused = issue(functions, staff, user_id=staff.id)
    assert (refused.status, refused.json["code"]) == (403, "own_rights")
    assert audit_entries(database, staff) == []
    assert issue(functions, members.staff(), user_id=staff.id).status == 201


def test_two_requests_with_the_same_key_issue_one_code(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    staff = members.staff()
    body = {"value": "5.00", "expires_at": LATER}
    answers = [
        functions.call("issue_codes", by=staff, body=body, now=NOON, headers={"idempotency-key": "k"}) for _ in range(2)
    ]
    assert [answer.status for answer in answers] == [201, 201]
    assert answers[0].text == answers[1].text
    assert len(audit_entries(database, staff)) == 1

"""POST /v1/admin/codes with `count`: staff issue a batch of generated codes."""

import re
import secrets
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.codes import generator
from goatedvips.models.codes import bonus_codes, code_batches
from goatedvips.models.operations import audit_log
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = "2026-06-01T00:00:00Z"


def issue(functions: Functions, by: Member, *, key: str | None = None, **fields: Any) -> Answer:
    body = {"value": "5.00", "expires_at": LATER, "count": 3} | fields
    return functions.call(
        "issue_codes", by=by, body=body, now=NOON, headers={"idempotency-key": key or secrets.token_hex(8)}
    )


def codes_of(database: sa.Engine, batch_id: int) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        return list(connection.execute(sa.select(bonus_codes).where(bonus_codes.c.batch_id == batch_id)).all())


def audit_entries(database: sa.Engine, staff: Member) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        return list(connection.execute(sa.select(audit_log).where(audit_log.c.staff_id == staff.id)).all())


def test_a_batch_has_as_many_different_generated_codes_with_the_given_terms(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    answer = issue(functions, members.staff(), count=1000, max_claims=2, starts_at="2026-05-02T00:00:00Z")
    assert answer.status == 201
    assert answer.json == {"batch_id": answer.json["batch_id"], "count": 1000}
    rows = codes_of(database, answer.json["batch_id"])
    assert len({row.code for row in rows}) == len(rows) == 1000
    assert all(re.fullmatch(r"[2-9A-HJ-NP-Z]{4}(-[2-9A-HJ-NP-Z]{4}){3}", row.code) for row in rows)
    terms = {
        (
            row.value,
            row.currency,
            row.starts_at,
            row.expires_at,
            row.max_claims,
            row.claims,
            row.user_id,
            row.claimed_at,
        )
        for row in rows
    }
    start, end = datetime(2026, 5, 2, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    assert terms == {(Decimal("5.00"), "USD", start, end, 2, 0, None, NOON)}


def test_the_key_of_a_generated_code_is_the_one_that_the_database_makes_of_its_text(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    batch_id = issue(functions, members.staff(), count=50).json["batch_id"]
    with database.connect() as connection:
        keys = connection.execute(
            sa.select(bonus_codes.c.code_key, sa.func.code_key(bonus_codes.c.code)).where(
                bonus_codes.c.batch_id == batch_id
            )
        ).all()
    assert len(keys) == 50
    assert all(stored == made for stored, made in keys)


def test_every_character_of_generated_codes_is_equally_likely() -> None:
    characters = "".join(generator.new_codes(4_000)).replace("-", "")
    expected = len(characters) / len(generator.ALPHABET)
    assert len(characters) == 4_000 * generator.LENGTH
    chi_squared = sum((characters.count(each) - expected) ** 2 / expected for each in generator.ALPHABET)
    assert chi_squared < 90, "31 degrees of freedom: p < 10⁻⁷ beyond 90"
    assert 5 * generator.LENGTH >= 60, "bits"
    assert not set("01IO") & set(generator.ALPHABET), "characters that are mistaken for others"


def test_each_code_of_a_batch_can_be_claimed(members: Members, functions: Functions, database: sa.Engine) -> None:
    batch_id = issue(functions, members.staff(), count=2, max_claims=1).json["batch_id"]
    member = members.new()
    for row in codes_of(database, batch_id):
        typed = {"code": row.code.lower().replace("-", " ")}
        assert functions.call("claim_code", by=member, body=typed, now=NOON).status == 201
        assert functions.call("claim_code", by=members.new(), body=typed, now=NOON).status == 404


def test_the_largest_batch_is_one_statement_and_one_audit_entry(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    staff = members.staff()
    answer = issue(functions, staff, count=100_000, max_claims=1)
    assert (answer.status, answer.json["count"]) == (201, 100_000)
    batch_id = answer.json["batch_id"]
    with database.connect() as connection:
        number = sa.select(sa.func.count()).where(bonus_codes.c.batch_id == batch_id)
        assert connection.scalar(number) == 100_000
        batch = connection.execute(sa.select(code_batches).where(code_batches.c.id == batch_id)).one()
        connection.execute(sa.delete(bonus_codes).where(bonus_codes.c.batch_id == batch_id))
    assert (batch.size, batch.user_id, batch.created_at) == (100_000, None, NOON)
    (entry,) = audit_entries(database, staff)
    assert (entry.action, entry.subject_id, entry.before) == ("issue_batch", batch_id, None)
    assert entry.request_id == answer.headers["X-Request-Id"]
    assert entry.after == {
        "id": batch_id,
        "count": 100_000,
        "value": 5.0,
        "currency": "USD",
        "starts_at": None,
        "expires_at": "2026-06-01T00:00:00",
        "max_claims": 1,
        "user_id": None,
    }


def test_the_codes_of_a_batch_for_one_member_are_theirs(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    owner = members.new()
    batch_id = issue(functions, members.staff(), user_id=owner.id, max_claims=9).json["batch_id"]
    assert {(row.user_id, row.max_claims) for row in codes_of(database, batch_id)} == {(owner.id, 1)}
    body = {"code": codes_of(database, batch_id)[0].code}
    assert functions.call("claim_code", by=members.new(), body=body, now=NOON).status == 404
    assert functions.call("claim_code", by=owner, body=body, now=NOON).status == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", 0),
        ("count", -1),
        ("count", 100_001),
        ("count", "3"),
        ("count", 1.0),
        ("count", True),
        ("code", "SUMMER"),
        ("user_id", 2**31 - 1),
        ("expires_at", "2026-05-01T12:00:00Z"),
        ("value", "0"),
    ],
)
def test_an_invalid_field_is_named_and_no_batch_is_issued(
    members: Members, functions: Functions, database: sa.Engine, field: str, value: Any
) -> None:
    staff = members.staff()
    refused = issue(functions, staff, **{field: value})
    assert refused.status == 422
    assert [error["pointer"] for error in refused.json["errors"]] == [f"/{field}"]
    assert audit_entries(database, staff) == []


def test_nobody_issues_a_batch_to_themselves(members: Members, functions: Functions, database: sa.Engine) -> None:
    staff = members.staff()
    refused = issue(functions, staff, user_id=staff.id)
    assert (refused.status, refused.json["code"]) == (403, "own_rights")
    assert audit_entries(database, staff) == []


def test_the_same_key_issues_one_batch(members: Members, functions: Functions, database: sa.Engine) -> None:
    staff = members.staff()
    answers = [issue(functions, staff, key="k") for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 201]
    assert answers[0].text == answers[1].text
    assert len(codes_of(database, answers[0].json["batch_id"])) == 3
    assert issue(functions, staff, key="k", count=4).json["code"] == "idempotency_key_reused"

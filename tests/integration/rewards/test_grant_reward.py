"""POST /v1/admin/rewards: staff grant a member a reward, or correct what was granted."""

import json
import secrets

import pytest
import sqlalchemy as sa

from goatedvips.models.rewards import reward_grants, rewards
from tests.support.functions import Answer, Context, Functions, event, load
from tests.support.ledger import NOON, audit_entries
from tests.support.members import Member, Members


def grant(functions: Functions, by: Member, user_id: object, amount: object, reason: object = "Thank you.") -> Answer:
    """Send a request of its own, which no stored answer is replayed for."""
    body, headers = {"user_id": user_id, "amount": amount, "reason": reason}, {"idempotency-key": secrets.token_hex(8)}
    return functions.call("grant_reward", by=by, body=body, now=NOON, headers=headers)


def ledger_size(database: sa.Engine) -> int:
    with database.connect() as connection:
        return int(connection.scalar(sa.select(sa.func.count()).select_from(rewards)) or 0)


@pytest.mark.parametrize(("amount", "source"), [("12.50", "grant"), ("-99999999.99", "correction")])
def test_it_writes_a_grant_its_ledger_row_and_an_audit_entry(
    members: Members, functions: Functions, database: sa.Engine, amount: str, source: str
) -> None:
    staff, member = members.staff(), members.new()
    answer = grant(functions, staff, member.id, amount, "Won the quiz.")
    with database.connect() as connection:
        given = connection.execute(sa.select(reward_grants).where(reward_grants.c.user_id == member.id)).one()
        row = connection.execute(sa.select(rewards).where(rewards.c.user_id == member.id)).one()
    assert answer.status == 201
    assert answer.json == {
        "id": row.id,
        "user_id": member.id,
        "source_type": source,
        "source_id": given.id,
        "amount": amount,
        "currency": "USD",
        "created_at": "2026-05-01T12:00:00Z",
        "state": "open",
        "payout_id": None,
    }
    assert (str(given.amount), given.created_at, given.created_by) == (amount, NOON, staff.id)
    assert (row.source_type, row.source_id, str(row.amount), row.created_at) == (source, given.id, amount, NOON)
    noted = {"id": given.id, "user_id": member.id, "amount": float(amount), "reason": "Won the quiz."}
    assert audit_entries(database, staff.id) == [("grant_reward", given.id, None, noted)]


def test_nobody_grants_themselves_a_reward(members: Members, functions: Functions, database: sa.Engine) -> None:
    staff, before = members.staff(), ledger_size(database)
    for amount in ("5.00", "-5.00"):
        refused = grant(functions, staff, staff.id, amount)
        assert (refused.status, refused.json["code"]) == (403, "own_rights")
    assert ledger_size(database) == before
    assert grant(functions, members.staff(), staff.id, "5.00").status == 201


def test_a_member_who_does_not_exist_or_is_erased_gets_nothing(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    staff, erased, before = members.staff(), members.new(erased_at=NOON), ledger_size(database)
    for user_id in (2**31 - 1, erased.id):
        refused = grant(functions, staff, user_id, "5.00")
        assert (refused.status, [error["pointer"] for error in refused.json["errors"]]) == (422, ["/user_id"])
    assert ledger_size(database) == before
    assert audit_entries(database, staff.id) == []


@pytest.mark.parametrize(
    ("user_id", "amount", "reason", "pointer"),
    [
        (1, "0.00", "r", "/amount"),
        (1, "-0", "r", "/amount"),
        (1, "100000000.00", "r", "/amount"),
        (1, "-100000000.00", "r", "/amount"),
        (1, "1.005", "r", "/amount"),
        (1, 5, "r", "/amount"),
        (1, "+5.00", "r", "/amount"),
        (1, "--5.00", "r", "/amount"),
        (1, "5.00", " \u200b", "/reason"),
        (1, "5.00", "", "/reason"),
        (1, "5.00", "x" * 10_001, "/reason"),
        (0, "5.00", "r", "/user_id"),
        ("1", "5.00", "r", "/user_id"),
        (2**31, "5.00", "r", "/user_id"),
    ],
)
def test_bad_fields_are_refused(
    members: Members, functions: Functions, user_id: object, amount: object, reason: object, pointer: str
) -> None:
    refused = grant(functions, members.staff(), user_id, amount, reason)
    assert (refused.status, [error["pointer"] for error in refused.json["errors"]]) == (422, [pointer])


def test_it_needs_an_idempotency_key_and_takes_each_once(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    staff, member = members.staff(), members.new()
    body = {"user_id": member.id, "amount": "5.00", "reason": "r"}
    request = event("grant_reward", by=staff, body=body)
    del request["headers"]["idempotency-key"]
    refused = load("grant_reward").handler(request, Context("grant_reward", "test"))
    problem = json.loads(refused["body"])
    assert (refused["statusCode"], [error["pointer"] for error in problem["errors"]]) == (422, [""])
    answers = [functions.call("grant_reward", by=staff, body=body, headers={"idempotency-key": "k"}) for _ in range(2)]
    assert [(answer.status, answer.text) for answer in answers] == [(201, answers[0].text)] * 2
    assert [entry[0] for entry in audit_entries(database, staff.id)] == ["grant_reward"]


def test_only_staff_may_grant(members: Members, functions: Functions) -> None:
    refused = grant(functions, members.new(), members.new().id, "5.00")
    assert (refused.status, refused.json["code"]) == (403, "forbidden")
    assert functions.call("grant_reward").status == 401

"""POST /v1/admin/payouts: staff pay out the open rewards, one payout for each member."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from goatedvips.models.rewards import payout_items, payouts
from tests.support import ledger
from tests.support.functions import Answer, Functions
from tests.support.ledger import NOON
from tests.support.members import Member, Members


@pytest.fixture(autouse=True)
def _nothing_is_open(database: sa.Engine) -> None:
    ledger.empty(database)


def pay_out(functions: Functions, by: Member, **body: Any) -> Answer:
    return functions.call("create_payouts", by=by, body=body, now=NOON + timedelta(days=1))


def made(database: sa.Engine, after: int = 0) -> dict[int, tuple[str, list[int]]]:
    """The payouts: the amount, and the rewards that it covers, by member."""
    items = sa.func.array_agg(aggregate_order_by(payout_items.c.reward_id, payout_items.c.reward_id))
    rows = (
        sa.select(payouts.c.user_id, payouts.c.amount, items)
        .join(payout_items, payout_items.c.payout_id == payouts.c.id)
        .where(payouts.c.id > after)
        .group_by(payouts.c.id)
    )
    with database.connect() as connection:
        return {user_id: (str(amount), covered) for user_id, amount, covered in connection.execute(rows)}


def test_each_member_gets_one_payout_of_their_open_rewards(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    staff, member, other, owing = members.staff(), members.new(uid="goat-1"), members.new(), members.new()
    covered = [ledger.reward(database, member.id, amount) for amount in ("5.00", "-1.50")]
    paid = ledger.reward(database, member.id, "9.00")
    earlier = ledger.payout(database, member.id, "9.00", paid, reference="TX-1")
    others = ledger.reward(database, other.id, "0.01")
    for amount in ("5.00", "-5.00"):
        ledger.reward(database, owing.id, amount)
    answer = pay_out(functions, staff)
    assert answer.status == 201
    assert answer.json == {"batch_id": answer.json["batch_id"], "count": 2, "amount": "3.51", "left_out": 0}
    with database.connect() as connection:
        rows = connection.execute(sa.select(payouts).where(payouts.c.id > earlier).order_by(payouts.c.id)).all()
    assert [(row.user_id, row.uid, str(row.amount), row.reference) for row in rows] == [
        (member.id, "goat-1", "3.50", None),
        (other.id, None, "0.01", None),
    ]
    assert {row.batch_id for row in rows} == {rows[0].id} == {answer.json["batch_id"]}
    assert {(row.created_at, row.created_by) for row in rows} == {(NOON + timedelta(days=1), staff.id)}
    assert made(database, after=earlier) == {member.id: ("3.50", covered), other.id: ("0.01", [others])}
    again = pay_out(functions, staff)
    assert (again.status, again.json) == (201, {"batch_id": None, "count": 0, "amount": "0.00", "left_out": 0})
    noted = {"id": rows[0].id, "count": 2, "amount": 3.51, "left_out": 0, "before": None, "min_amount": None}
    assert ledger.audit_entries(database, staff.id) == [
        ("create_payouts", rows[0].id, None, noted | {"user_ids": None})
    ], "a run that paid nothing changed nothing"


def test_what_was_granted_at_or_after_before_waits_and_what_was_taken_back_does_not(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member, moment = members.new(), timedelta(microseconds=1)
    early = ledger.reward(database, member.id, "5.00", at=NOON - moment)
    ledger.reward(database, member.id, "7.00", at=NOON)
    taken_back = ledger.reward(database, member.id, "-1.00", at=NOON + timedelta(days=9))
    assert pay_out(functions, members.staff(), before="2026-05-01T12:00:00Z").json["amount"] == "4.00"
    assert made(database) == {member.id: ("4.00", [early, taken_back])}


def test_whose_sum_is_smaller_than_the_smallest_payout_gets_none(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    below, at = members.new(), members.new()
    ledger.reward(database, below.id, "9.99")
    ids = [ledger.reward(database, at.id, amount) for amount in ("4.00", "6.00")]
    assert pay_out(functions, members.staff(), min_amount="10.00").json["count"] == 1
    assert made(database) == {at.id: ("10.00", ids)}


def test_suspended_and_erased_members_are_left_out_unless_they_are_named_and_excluded_ones_are_paid(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    staff = members.staff()
    suspended, erased = members.new(suspended_at=NOON), members.new(erased_at=NOON)
    excluded, unnamed = members.new(excluded_permanently=True), members.new()
    of = {member.id: ledger.reward(database, member.id, "5.00") for member in (suspended, erased, excluded)}
    assert pay_out(functions, staff).json["count"] == 1
    assert made(database) == {excluded.id: ("5.00", [of[excluded.id]])}
    ledger.reward(database, unnamed.id, "5.00")
    again = pay_out(functions, staff, min_amount="6.00").json
    assert (again["count"], again["left_out"]) == (0, 0), "they would have got none anyway"
    assert pay_out(functions, staff, before="2026-05-02T00:00:00Z", user_ids=[excluded.id]).json["count"] == 0
    named = pay_out(functions, staff, user_ids=[suspended.id, erased.id, erased.id, 2**31 - 1]).json
    assert (named["count"], named["amount"], named["left_out"]) == (2, "10.00", 0)
    assert made(database).keys() == of.keys()


def test_the_answer_counts_who_was_left_out(members: Members, functions: Functions, database: sa.Engine) -> None:
    for member in (members.new(suspended_at=NOON), members.new(erased_at=NOON), members.new()):
        ledger.reward(database, member.id, "5.00")
    ledger.reward(database, members.new(suspended_at=NOON).id, "-5.00")
    answer = pay_out(functions, members.staff()).json
    assert (answer["count"], answer["left_out"]) == (1, 2)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"before": "yesterday"}, "/before"),
        ({"min_amount": "0.00"}, "/min_amount"),
        ({"min_amount": "-1.00"}, "/min_amount"),
        ({"user_ids": []}, "/user_ids"),
        ({"user_ids": ["1"]}, "/user_ids/0"),
        ({"user_ids": [1] * 5001}, "/user_ids"),
        ({"everyone": True}, "/everyone"),
    ],
)
def test_bad_fields_are_refused(members: Members, functions: Functions, body: dict[str, Any], pointer: str) -> None:
    refused = pay_out(functions, members.staff(), **body)
    assert (refused.status, [error["pointer"] for error in refused.json["errors"]]) == (422, [pointer])


def test_only_staff_may_pay_out(members: Members, functions: Functions, database: sa.Engine) -> None:
    member = members.new()
    ledger.reward(database, member.id, "5.00")
    assert pay_out(functions, member).json["code"] == "forbidden"
    assert functions.call("create_payouts").status == 401
    assert made(database) == {}

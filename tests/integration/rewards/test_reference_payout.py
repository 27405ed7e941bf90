"""POST /v1/admin/payouts/{id}/reference: staff give a payout the reference of its payment."""

import pytest
import sqlalchemy as sa

from tests.support import ledger
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members


def pay(functions: Functions, by: Member | None, payout_id: int, reference: object) -> Answer:
    path = f"/v1/admin/payouts/{payout_id}/reference"
    return functions.call("reference_payout", by=by, path=path, body={"reference": reference})


@pytest.fixture
def payout_id(members: Members, database: sa.Engine) -> int:
    member = members.new()
    return ledger.payout(database, member.id, "5.00", ledger.reward(database, member.id, "5.00"), batch_id=3)


def test_it_is_paid_once_it_has_a_reference(
    members: Members, functions: Functions, database: sa.Engine, payout_id: int
) -> None:
    staff = members.staff()
    answers = [pay(functions, staff, payout_id, "TX-1") for _ in range(2)]
    assert [(answer.status, answer.json["reference"]) for answer in answers] == [(200, "TX-1")] * 2
    assert (answers[0].json["id"], answers[0].json["batch_id"], answers[0].json["amount"]) == (payout_id, 3, "5.00")
    paid = functions.call("get_payout", by=staff, path=f"/v1/admin/payouts/{payout_id}").json
    assert [reward["state"] for reward in paid["rewards"]] == ["paid"]
    assert ledger.audit_entries(database, staff.id) == [
        ("reference_payout", payout_id, {"reference": None}, {"reference": "TX-1"})
    ]


def test_another_reference_is_refused(members: Members, functions: Functions, payout_id: int) -> None:
    staff = members.staff()
    assert pay(functions, staff, payout_id, "TX-1").status == 200
    refused = pay(functions, staff, payout_id, "TX-2")
    assert (refused.status, refused.json["code"]) == (409, "conflict")


@pytest.mark.parametrize("reference", ["", "  ", "x" * 201, 7, None, "a\u202eb"])
def test_a_bad_reference_is_refused(members: Members, functions: Functions, payout_id: int, reference: object) -> None:
    refused = pay(functions, members.staff(), payout_id, reference)
    assert (refused.status, [error["pointer"] for error in refused.json["errors"]]) == (422, ["/reference"])


def test_it_is_absent_or_for_staff(members: Members, functions: Functions, payout_id: int) -> None:
    assert pay(functions, members.staff(), 2**31 - 1, "TX-1").status == 404
    assert pay(functions, members.new(), payout_id, "TX-1").json["code"] == "forbidden"
    assert pay(functions, None, payout_id, "TX-1").status == 401

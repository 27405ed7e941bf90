"""DELETE /v1/admin/payouts/{id}: staff withdraw a payout that is not paid."""

import sqlalchemy as sa

from tests.support import ledger
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members


def withdraw(functions: Functions, by: Member | None, payout_id: int) -> Answer:
    return functions.call("withdraw_payout", by=by, path=f"/v1/admin/payouts/{payout_id}")


def test_its_rewards_are_open_again_and_the_audit_log_has_it(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    staff, member = members.staff(), members.new()
    reward = ledger.reward(database, member.id, "5.00")
    payout_id = ledger.payout(database, member.id, "5.00", reward, batch_id=3)
    assert withdraw(functions, staff, payout_id).status == 204
    listed = functions.call("list_my_rewards", by=member).json["items"]
    assert [(item["id"], item["state"], item["payout_id"]) for item in listed] == [(reward, "open", None)]
    assert ledger.audit_entries(database, staff.id) == [
        (
            "withdraw_payout",
            member.id,
            {"payout_id": payout_id, "batch_id": 3, "amount": 5.0},
            {"payout_id": None, "batch_id": None, "amount": None},
        )
    ]
    assert withdraw(functions, staff, payout_id).status == 404, "it is gone"


def test_a_paid_payout_cannot_be_withdrawn(members: Members, functions: Functions, database: sa.Engine) -> None:
    staff, member = members.staff(), members.new()
    paid = ledger.payout(database, member.id, "5.00", ledger.reward(database, member.id, "5.00"), reference="TX-1")
    refused = withdraw(functions, staff, paid)
    assert (refused.status, refused.json["code"]) == (409, "conflict")
    assert functions.call("list_my_rewards", by=member).json["items"][0]["state"] == "paid"
    assert ledger.audit_entries(database, staff.id) == []


def test_it_is_absent_or_for_staff(members: Members, functions: Functions, database: sa.Engine) -> None:
    member = members.new()
    payout_id = ledger.payout(database, member.id, "5.00", ledger.reward(database, member.id, "5.00"))
    assert withdraw(functions, members.staff(), 2**31 - 1).status == 404
    assert withdraw(functions, member, payout_id).json["code"] == "forbidden"
    assert withdraw(functions, None, payout_id).status == 401
    assert functions.call("list_my_rewards", by=member).json["items"][0]["state"] == "in_payout"

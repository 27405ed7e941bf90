"""GET /v1/admin/payouts/{id}: staff read a payout with its rewards."""

import sqlalchemy as sa

from tests.support import ledger
from tests.support.functions import Functions
from tests.support.members import Members


def test_it_has_the_rewards_that_it_covers(members: Members, functions: Functions, database: sa.Engine) -> None:
    member = members.new()
    rewards = [ledger.reward(database, member.id, amount) for amount in ("5.00", "-1.25")]
    ledger.reward(database, member.id, "7.00")
    payout_id = ledger.payout(database, member.id, "3.75", *rewards, uid="goat-1", reference="TX-1", batch_id=3)
    answer = functions.call("get_payout", by=members.staff(), path=f"/v1/admin/payouts/{payout_id}")
    assert answer.status == 200
    listed = answer.json["rewards"]
    assert {name: value for name, value in answer.json.items() if name != "rewards"} == {
        "id": payout_id,
        "batch_id": 3,
        "user_id": member.id,
        "uid": "goat-1",
        "amount": "3.75",
        "reference": "TX-1",
        "created_at": "2026-05-01T12:00:00Z",
        "created_by": member.id,
    }
    assert [(reward["id"], reward["amount"], reward["state"], reward["payout_id"]) for reward in listed] == [
        (rewards[0], "5.00", "paid", payout_id),
        (rewards[1], "-1.25", "paid", payout_id),
    ]


def test_it_is_absent_or_for_staff(members: Members, functions: Functions, database: sa.Engine) -> None:
    member = members.new()
    payout_id = ledger.payout(database, member.id, "5.00", ledger.reward(database, member.id, "5.00"))
    for id_ in ("2147483647", "0", "x"):
        assert functions.call("get_payout", by=members.staff(), path=f"/v1/admin/payouts/{id_}").status == 404
    path = f"/v1/admin/payouts/{payout_id}"
    assert functions.call("get_payout", by=member, path=path).json["code"] == "forbidden"
    assert functions.call("get_payout", path=path).status == 401

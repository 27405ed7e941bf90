"""GET /v1/admin/payouts: staff list payouts, newest first."""

import os
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.access import Caller
from goatedvips.domain.rewards import payments
from tests.support import ledger, stack
from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.plans import rows_read


def test_staff_see_all_payouts_a_batch_a_member_s_and_the_unpaid_ones(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    staff, member, other = members.staff(), members.new(), members.new()
    unpaid = ledger.payout(database, member.id, "5.00", batch_id=member.id, uid="goat-1")
    paid = ledger.payout(database, member.id, "2.00", reference="TX-1", batch_id=other.id)
    others = ledger.payout(database, other.id, "2.00", batch_id=other.id)

    def listed(**query: Any) -> list[int]:
        answer = functions.call("list_payouts", by=staff, query={name: str(value) for name, value in query.items()})
        assert answer.status == 200, answer.text
        return [item["id"] for item in answer.json["items"]]

    assert listed(limit=3) == [others, paid, unpaid]
    assert listed(batch_id=other.id) == [others, paid]
    assert listed(user_id=member.id) == [paid, unpaid]
    assert listed(user_id=member.id, paid="false") == [unpaid]
    assert listed(user_id=member.id, paid="true") == [paid]
    assert listed(user_id=member.id, batch_id=other.id) == [paid]
    assert functions.call("list_payouts", by=staff, query={"batch_id": str(member.id)}).json["items"] == [
        {
            "id": unpaid,
            "batch_id": member.id,
            "user_id": member.id,
            "uid": "goat-1",
            "amount": "5.00",
            "reference": None,
            "created_at": "2026-05-01T12:00:00Z",
            "created_by": member.id,
        }
    ]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"paid": "maybe"}, "/paid"),
        ({"user_id": "0"}, "/user_id"),
        ({"user_id": "1_0"}, "/user_id"),
        ({"user_id": "1.0"}, "/user_id"),
        ({"batch_id": " 1"}, "/batch_id"),
        ({"batch_id": "x"}, "/batch_id"),
        ({"cursor": "x"}, "/cursor"),
    ],
)
def test_bad_filters_are_refused(members: Members, functions: Functions, query: dict[str, str], pointer: str) -> None:
    refused = functions.call("list_payouts", by=members.staff(), query=query)
    assert (refused.status, [error["pointer"] for error in refused.json["errors"]]) == (422, [pointer])


def test_only_staff_may_list_them(members: Members, functions: Functions) -> None:
    assert functions.call("list_payouts", by=members.new()).json["code"] == "forbidden"
    assert functions.call("list_payouts").status == 401


@pytest.mark.parametrize("rows", [1_000, 100_000])
def test_a_page_reads_as_many_rows_however_many_payouts_there_are(
    servers: stack.Stack, members: Members, database: sa.Engine, rows: int
) -> None:
    ledger.empty(database)
    member, other, staff = members.new(), members.new(), members.staff()
    ledger.fill(database, rows, member.id, other.id)
    url = servers.direct(os.environ["TEST_DATABASE"], "api")
    of = Caller(staff.id, staff.session_id, "test").parameters(ledger.NOON)
    of |= payments._NEWEST_FIRST.parameters(5, None) | {"in_batch": None, "of_member": None, "are_paid": None}
    for filters in ({}, {"of_member": member.id}, {"in_batch": 1}, {"are_paid": False}, {"are_paid": True}):
        read = rows_read(url, payments._select_payouts, of | filters)
        assert read["payouts"] <= 20, (filters, read)
    ledger.empty(database)


def test_as_csv_texts_are_no_formulas_and_amounts_stay_numbers(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member = members.new()
    ledger.payout(database, member.id, "-5.00", reference=" =HYPERLINK()", uid="+1", batch_id=member.id)
    query = {"user_id": str(member.id), "format": "csv"}
    answer = functions.call("list_payouts", by=members.staff(), query=query)
    assert answer.headers["Content-Type"].startswith("text/csv")
    head, row = answer.text.splitlines()
    assert head == "id,batch_id,user_id,uid,amount,reference,created_at,created_by"
    assert row.split(",")[1:] == [
        str(member.id), str(member.id), "'+1", "-5.00", "' =HYPERLINK()", "2026-05-01T12:00:00Z", str(member.id)
    ]  # fmt: skip
    assert "Link" not in answer.headers

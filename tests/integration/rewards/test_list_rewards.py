"""GET /v1/admin/rewards: staff list rewards, newest first."""

import os
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.access import Caller
from goatedvips.domain.rewards import lists
from tests.support import ledger, stack
from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.plans import rows_read


def test_staff_see_all_rewards_one_member_s_and_those_in_a_state(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    staff, member, other = members.staff(), members.new(), members.new()
    opened, covered, paid = (ledger.reward(database, member.id, amount) for amount in ("3.00", "-1.00", "2.00"))
    payout_id = ledger.payout(database, member.id, "-1.00", covered)
    ledger.payout(database, member.id, "2.00", paid, reference="TX-1")
    others = ledger.reward(database, other.id, "9.00")

    def listed(**query: Any) -> list[int]:
        answer = functions.call("list_rewards", by=staff, query={name: str(value) for name, value in query.items()})
        assert answer.status == 200, answer.text
        return [item["id"] for item in answer.json["items"]]

    assert listed(limit=4) == [others, paid, covered, opened]
    assert listed(user_id=member.id) == [paid, covered, opened]
    assert listed(user_id=member.id, state="open") == [opened]
    assert listed(user_id=member.id, state="in_payout") == [covered]
    assert listed(user_id=member.id, state="paid") == [paid]
    item = functions.call("list_rewards", by=staff, query={"user_id": str(member.id), "state": "in_payout"}).json
    assert item["items"] == [
        {
            "id": covered,
            "user_id": member.id,
            "source_type": "code",
            "source_id": item["items"][0]["source_id"],
            "amount": "-1.00",
            "currency": "USD",
            "created_at": "2026-05-01T12:00:00Z",
            "state": "in_payout",
            "payout_id": payout_id,
        }
    ]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"state": "open"}, "/state"),
        ({"state": "lost", "user_id": "1"}, "/state"),
        ({"user_id": "0"}, "/user_id"),
        ({"user_id": "1_0"}, "/user_id"),
        ({"limit": "101"}, "/limit"),
        ({"cursor": "x"}, "/cursor"),
    ],
)
def test_bad_filters_are_refused(members: Members, functions: Functions, query: dict[str, str], pointer: str) -> None:
    refused = functions.call("list_rewards", by=members.staff(), query=query)
    assert (refused.status, [error["pointer"] for error in refused.json["errors"]]) == (422, [pointer])


def test_only_staff_may_list_them(members: Members, functions: Functions) -> None:
    assert functions.call("list_rewards", by=members.new()).json["code"] == "forbidden"
    assert functions.call("list_rewards").status == 401


@pytest.mark.parametrize("rows", [1_000, 100_000])
def test_a_page_reads_as_few_rows_of_a_large_ledger(
    servers: stack.Stack, members: Members, database: sa.Engine, rows: int
) -> None:
    ledger.empty(database)
    member, other, staff = members.new(), members.new(), members.staff()
    ledger.fill(database, rows, member.id, other.id)
    url = servers.direct(os.environ["TEST_DATABASE"], "api")
    of = Caller(staff.id, staff.session_id, "test").parameters(ledger.NOON) | lists._ALL.parameters(20, None)
    wanted: tuple[dict[str, Any], ...] = (
        {"of_member": None, "in_state": None},
        {"of_member": member.id, "in_state": None},
        {"of_member": member.id, "in_state": "paid"},
    )
    for filters in wanted:
        read = rows_read(url, lists._select_for_staff, of | filters)
        assert sum(read[table] for table in ("rewards", "payout_items", "payouts")) <= 120, (filters, read)
    ledger.empty(database)

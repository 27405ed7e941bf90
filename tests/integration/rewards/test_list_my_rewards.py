"""GET /v1/me/rewards: a member's rewards, newest first."""

import os

import pytest
import sqlalchemy as sa

from goatedvips.domain.rewards import lists
from tests.support import ledger, stack
from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.plans import rows_read


def test_a_reward_is_open_then_in_a_payout_then_paid(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member = members.new()
    opened, covered, paid = (ledger.reward(database, member.id, amount) for amount in ("3.00", "-1.00", "2.00"))
    in_payout = ledger.payout(database, member.id, "-1.00", covered)
    done = ledger.payout(database, member.id, "2.00", paid, reference="TX-1")
    ledger.reward(database, members.new().id, "9.00")
    answer = functions.call("list_my_rewards", by=member)
    assert answer.status == 200
    assert answer.json["next_cursor"] is None
    items = answer.json["items"]
    assert [(item["id"], item["amount"], item["state"], item["payout_id"]) for item in items] == [
        (paid, "2.00", "paid", done),
        (covered, "-1.00", "in_payout", in_payout),
        (opened, "3.00", "open", None),
    ]
    assert items[0].keys() == {
        "id", "source_type", "source_id", "amount", "currency", "created_at", "state", "payout_id"
    }  # fmt: skip
    assert (items[0]["source_type"], items[0]["currency"]) == ("code", "USD")
    assert items[0]["created_at"] == "2026-05-01T12:00:00Z"


def test_it_comes_in_pages(members: Members, functions: Functions, database: sa.Engine) -> None:
    member = members.new()
    ids = [ledger.reward(database, member.id, "1.00") for _ in range(3)]
    first = functions.call("list_my_rewards", by=member, query={"limit": "2"}).json
    second = functions.call("list_my_rewards", by=member, query={"limit": "2", "cursor": first["next_cursor"]}).json
    assert [item["id"] for page in (first, second) for item in page["items"]] == ids[::-1]
    assert functions.call("list_my_rewards", by=member, query={"cursor": "x"}).status == 422
    assert functions.call("list_my_rewards").status == 401


@pytest.mark.parametrize("rows", [1_000, 100_000])
def test_a_page_reads_as_many_rows_whatever_the_size_of_the_ledger(
    servers: stack.Stack, members: Members, database: sa.Engine, rows: int
) -> None:
    ledger.empty(database)
    member, other = members.new(), members.new()
    ledger.fill(database, rows, member.id, other.id)
    url = servers.direct(os.environ["TEST_DATABASE"], "api")
    page = lists._OWN.parameters(20, None)
    read = rows_read(url, lists._select_own, {"caller_id": member.id, **page})
    ledger.empty(database)
    assert read.total() <= 120, read

"""GET /v1/wheel/spins: a member's spins, newest first."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from goatedvips.domain.wheel import fairness
from goatedvips.models.wheel import wheel_spins
from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.rows import insert_row

NOON = datetime(2031, 5, 1, 12, tzinfo=UTC)


def test_a_spin_is_listed_as_its_receipt_had_it_and_with_its_seed_once_that_is_revealed(
    functions: Functions, members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fairness, "draw", lambda *_: 2)
    member = members.new(session_lifetime=timedelta(days=3650))
    receipts = [
        functions.call("spin_wheel", by=member, body=body, now=NOON + timedelta(days=number)).json
        for number, body in enumerate(({}, {"client_seed": "mine"}))
    ]
    items = functions.call("list_spins", by=member).json["items"][::-1]
    assert [item["spun_at"] for item in items] == ["2031-05-01T12:00:00Z", "2031-05-02T12:00:00Z"]
    assert [item["fairness"]["client_seed_by"] for item in items] == ["house", "member"]
    for item, receipt in zip(items, receipts, strict=True):
        assert item == {key: value for key, value in receipt.items() if key != "next_spin_at"} | {
            "spun_at": item["spun_at"],
            "version": 1,
        }
    revealed = functions.call("rotate_seed", by=member, now=NOON + timedelta(days=1)).json["revealed"]
    items = functions.call("list_spins", by=member).json["items"]
    assert {item["fairness"]["server_seed"] for item in items} == {revealed["server_seed"]}


def test_an_adopted_spin_has_no_fairness(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new()
    insert_row(database, wheel_spins, user_id=member.id, segment_index=99, reward_code="OLD", timestamp=NOON)
    (item,) = functions.call("list_spins", by=member).json["items"]
    assert (item["segment_index"], item["reward_code"]) == (99, "OLD")
    assert (item["segment"], item["version"], item["fairness"]) == (None, None, None)


def test_a_member_sees_no_spin_of_others(functions: Functions, members: Members) -> None:
    functions.call("spin_wheel", by=members.new(), body={})
    assert functions.call("list_spins", by=members.new()).json == {"items": [], "next_cursor": None}
    assert functions.call("list_spins").status == 401

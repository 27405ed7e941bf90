"""`db-check` reconciles the ledger: each difference is found, by its row."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from database.checks.reconciliation import differences
from goatedvips.domain.races.results import settlement
from goatedvips.domain.wheel import fairness
from tests.support import ledger
from tests.support.arena import SETTLED_AT, Arena
from tests.support.functions import Functions
from tests.support.ingesting import Ingesting
from tests.support.members import Members
from tests.support.tiers import Tiers


@pytest.fixture(autouse=True)
def _no_other_rows(database: sa.Engine) -> None:
    ledger.empty(database)
    with database.connect() as connection:
        for table in ("code_claims", "bonus_codes", "wheel_spins", "reward_grants", "historical_races", "member_tiers"):
            connection.execute(sa.text(f"DELETE FROM {table}"))


@pytest.fixture
def member_id(members: Members, functions: Functions, monkeypatch: pytest.MonkeyPatch) -> int:
    """A member with a win that was claimed, a code, a grant and a correction; one payout is paid, one is not."""
    monkeypatch.setattr(fairness, "draw", lambda *_: 2)
    member, staff = members.new(), members.staff()
    won = functions.call("spin_wheel", by=member, now=ledger.NOON).json["reward_code"]
    functions.call("spin_wheel", by=members.new(), now=ledger.NOON)
    assert functions.call("claim_code", by=member, body={"code": won}, now=ledger.NOON).status == 201
    body = {"value": "5.00", "expires_at": "2999-01-01T00:00:00Z"}
    issued = functions.call("issue_codes", by=staff, body=body, headers={"idempotency-key": "1"}).json["code"]
    assert functions.call("claim_code", by=member, body={"code": issued}).status == 201
    for number, amount in enumerate(("9.00", "-1.00")):
        given = {"user_id": member.id, "amount": amount, "reason": "r"}
        headers = {"idempotency-key": f"grant-{number}"}
        assert functions.call("grant_reward", by=staff, body=given, headers=headers).status == 201
        paid = functions.call("create_payouts", by=staff, body={"user_ids": [member.id]})
        assert paid.status == 201
    assert paid.json["count"] == 0, "a correction without other rewards is not paid out"
    return member.id


def found(database: sa.Engine) -> list[tuple[str, str]]:
    with database.connect() as connection:
        return [(difference.table, difference.what.split()[0]) for difference in differences(connection)]


def test_what_the_platform_writes_reconciles(database: sa.Engine, member_id: int) -> None:
    assert found(database) == []


BREAKS = {
    "amount": ("UPDATE payouts SET amount = amount + 0.01", {("payouts", "amounts"), ("users", "members")}),
    "owner": (
        "UPDATE payouts SET user_id = (SELECT max(id) FROM users)",
        {("rewards", "rows"), ("users", "members")},
    ),
    "item": ("DELETE FROM payout_items", {("payouts", "amounts"), ("users", "members")}),
    "orphan": (
        """INSERT INTO rewards (user_id, source_type, source_id, amount, created_at)
        SELECT user_id, 'code', 2147483647, 1, now() FROM rewards LIMIT 1""",
        {("rewards", "rows")},
    ),
    "grant": (
        "UPDATE reward_grants SET amount = amount + 1 WHERE amount > 0",
        {("rewards", "rows"), ("reward_grants", "grants")},
    ),
    "claim": (
        "DELETE FROM payout_items; DELETE FROM payouts; DELETE FROM rewards WHERE source_type IN ('code', 'spin')",
        {("code_claims", "claims")},
    ),
    "counter": ("UPDATE bonus_codes SET claims = claims + 1 WHERE claims > 0", {("bonus_codes", "codes")}),
    "code": ("UPDATE bonus_codes SET spin_id = NULL WHERE claims = 0", {("wheel_spins", "winning")}),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_each_difference_is_found(database: sa.Engine, member_id: int, broken: str) -> None:
    statements, expected = BREAKS[broken]
    with database.connect() as connection:
        for statement in statements.split("; "):
            connection.execute(sa.text(statement))
    assert set(found(database)) == expected


BREAKS_OF_TIERS = {
    "amount": (
        "UPDATE member_tiers SET reward = reward + 1 WHERE reward = 5",
        {("rewards", "rows"), ("member_tiers", "tiers")},
    ),
    "missing": ("DELETE FROM rewards WHERE amount = 5", {("member_tiers", "tiers")}),
    "no tier": ("DELETE FROM member_tiers WHERE reward = 7", {("rewards", "rows")}),
    "owner": (
        "UPDATE member_tiers SET user_id = (SELECT max(id) FROM users) WHERE reward = 5",
        {("rewards", "rows"), ("member_tiers", "tiers")},
    ),
}


@pytest.mark.parametrize("broken", BREAKS_OF_TIERS)
def test_each_difference_of_tiers_is_found(database: sa.Engine, members: Members, broken: str) -> None:
    tiers, ingesting, uid = Tiers(database), Ingesting(database), f"uid-{broken}"
    ingesting.remove_all()
    member = members.new(seeds=False, uid=uid)
    with tiers.version(("Copper", "0", "1"), ("Bronze", "10", "5"), ("Silver", "20", "0"), ("Gold", "30", "7")):
        for hours, total in enumerate(("5", "15", "25", "35")):
            ingesting.ingest(ledger.NOON + timedelta(hours=hours), {uid: total})
    assert [reward for _, reward, _ in tiers.reached(member.id)] == ["0.00", "5.00", "0.00", "7.00"]
    members.new(seeds=False)  # the owner of another id
    assert found(database) == []
    statement, expected = BREAKS_OF_TIERS[broken]
    with database.connect() as connection:
        connection.execute(sa.text(statement))
    assert set(found(database)) == expected


BREAKS_OF_RACES = {
    "amount": ("UPDATE rewards SET amount = amount + 0.01 WHERE amount = 50.01", {("historical_races", "settled")}),
    "missing": ("DELETE FROM rewards WHERE amount = 30", {("historical_races", "settled")}),
    "archive": (
        'UPDATE historical_races SET metadata = metadata || \'{"paid": "90.01"}\'',
        {("historical_races", "settled")},
    ),
    "unallocated": (
        "UPDATE historical_races SET metadata = metadata - 'unallocated'",
        {("historical_races", "settled")},
    ),
    "pool": ("UPDATE historical_races SET prize_pool = 100", {("historical_races", "settled")}),
    "unranked": ("UPDATE wager_race_participants SET rank = NULL WHERE rank = 1", {("rewards", "rows")}),
    "no archive": ("DELETE FROM historical_races", {("rewards", "rows")}),
}


@pytest.mark.parametrize("broken", BREAKS_OF_RACES)
def test_each_difference_of_a_settled_race_is_found(database: sa.Engine, arena: Arena, broken: str) -> None:
    race_id, _ = arena.ended("60", "50", "1")
    arena.races.archive()
    with database.begin() as connection:
        settlement.settle_due(connection, race_id, now=SETTLED_AT)
    assert found(database) == []
    statement, expected = BREAKS_OF_RACES[broken]
    with database.connect() as connection:
        connection.execute(sa.text(statement.replace(":", "\\:")))
    assert set(found(database)) == expected

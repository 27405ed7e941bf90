"""Rewards and payouts for tests, written straight into the tables."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

import sqlalchemy as sa

from goatedvips.models.operations import audit_log
from goatedvips.models.rewards import payout_items, payouts, rewards
from tests.support import plans
from tests.support.rows import insert_row

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
_unused_sources = count(1_000_000)


def reward(database: sa.Engine, member_id: int, amount: str, *, at: datetime = NOON, source: str = "code") -> int:
    """Insert a row of the ledger, whose source does not exist, and return its id."""
    of = {"user_id": member_id, "source_type": source, "source_id": next(_unused_sources)}
    return insert_row(database, rewards, **of, amount=Decimal(amount), created_at=at)


def payout(
    database: sa.Engine,
    member_id: int,
    amount: str,
    *reward_ids: int,
    reference: str | None = None,
    uid: str | None = None,
    batch_id: int = 1,
) -> int:
    """Insert a payout of these rewards, made by the member, and return its id."""
    made = {"user_id": member_id, "created_by": member_id, "created_at": NOON, "amount": Decimal(amount)}
    payout_id = insert_row(database, payouts, **made, batch_id=batch_id, uid=uid, reference=reference)
    with database.connect() as connection:
        for reward_id in reward_ids:
            connection.execute(sa.insert(payout_items).values(reward_id=reward_id, payout_id=payout_id))
    return payout_id


def empty(database: sa.Engine) -> None:
    """Delete all rewards and payouts, because a run pays out those of all members.

    With their indexes: those that thousands of deleted rows leave behind are so large that PostgreSQL avoids them.
    """
    with database.connect() as connection:
        connection.execute(sa.text("TRUNCATE payout_items, payouts, rewards"))


def audit_entries(database: sa.Engine, staff_id: int) -> list[tuple[str, int, object, object]]:
    """Return action, subject, old and new values of what this staff member did, in order."""
    rows = sa.select(audit_log).where(audit_log.c.staff_id == staff_id).order_by(audit_log.c.id)
    with database.connect() as connection:
        return [(row.action, row.subject_id, row.before, row.after) for row in connection.execute(rows)]


_MANY = """
INSERT INTO rewards (user_id, source_type, source_id, amount, created_at)
    SELECT CASE WHEN n % 2 = 0 THEN {member} ELSE {other} END, 'race', n, 1, '2026-05-01'
    FROM generate_series(1, {rows}) AS n;
INSERT INTO payouts (id, batch_id, user_id, amount, reference, created_at, created_by)
    SELECT 1000000 + n, 1, CASE WHEN n % 2 = 0 THEN {member} ELSE {other} END, 1,
        CASE WHEN n % 100 <> 0 THEN 'TX' END, '2026-05-01', {other}
    FROM generate_series(1, {rows} - 10) AS n;
INSERT INTO payout_items (reward_id, payout_id)
    SELECT id, 1000000 + source_id FROM rewards WHERE source_type = 'race' AND source_id <= {rows} - 10"""


def fill(database: sa.Engine, rows: int, member_id: int, other_id: int) -> None:
    """Insert that many rewards of two members in turns; all but the last ten are in payouts, and most of these paid."""
    text = _MANY.format(rows=rows, member=member_id, other=other_id)
    plans.fill(database, *text.split(";"))

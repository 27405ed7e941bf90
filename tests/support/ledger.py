"""Rewards and payouts for tests, written straight into the tables."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

import sqlalchemy as sa

from goatedvips.models.rewards import payout_items, payouts, rewards
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

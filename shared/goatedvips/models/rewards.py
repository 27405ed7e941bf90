"""The ledger of rewards, and the payouts of its rows."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Numeric, Table, Text, UniqueConstraint, text

from goatedvips.models.schema import Instant, metadata

# Every value that was granted to a member. Rows are only inserted, never updated or deleted.
rewards = Table(
    "rewards",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id"), nullable=False),
    Column("source_type", Text, nullable=False),  # spin, code, race, tier, grant, correction
    Column("source_id", Integer, nullable=False),  # the id of the spin, code, race, member's tier or row of the grants
    Column("amount", Numeric(18, 2), nullable=False),
    Column("currency", Text, nullable=False, server_default="USD"),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("source_type", "source_id", "user_id"),
    Index("rewards_user_id_id_idx", "user_id", "id"),
)

# Grants and corrections by staff: the sources of their rows in the ledger.
reward_grants = Table(
    "reward_grants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id"), nullable=False),
    Column("amount", Numeric(18, 2), nullable=False),  # below zero: a correction
    Column("created_at", Instant, nullable=False),
    Column("created_by", Integer, ForeignKey("users.id"), nullable=False, index=True),
    Index("reward_grants_user_id_id_idx", "user_id", "id"),
)

# A payout to a member. Only one without a reference is deleted.
payouts = Table(
    "payouts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("batch_id", Integer, nullable=False),  # the id of the first payout that was made with it
    Column("user_id", Integer, ForeignKey("users.id"), nullable=False),
    Column("uid", Text),  # the casino account that was linked when the payout was made
    Column("amount", Numeric(18, 2), nullable=False),  # the sum of its rewards
    Column("reference", Text),  # of the payment, once it was made
    Column("created_at", Instant, nullable=False),
    Column("created_by", Integer, ForeignKey("users.id"), nullable=False, index=True),
    Index("payouts_user_id_id_idx", "user_id", "id"),
    Index("payouts_batch_id_id_idx", "batch_id", "id"),
    Index("payouts_unpaid_idx", "id", postgresql_where=text("reference IS NULL")),
)

# The rewards that a payout covers. A reward without a row here is open.
payout_items = Table(
    "payout_items",
    metadata,
    Column("reward_id", Integer, ForeignKey("rewards.id"), primary_key=True),
    Column("payout_id", Integer, ForeignKey("payouts.id", ondelete="CASCADE"), nullable=False, index=True),
)

"""What the affiliate's feed says, and the tiers that lifetime wagers reach."""

from sqlalchemy import Column, Integer, Numeric, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.models.schema import Instant, metadata

# The feed's accounts at their last reading, whoever they belong to: what a member's uid brings along when it is linked.
wager_accounts = Table(
    "wager_accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", Text, nullable=False, unique=True),
    Column("name", Text),
    Column("total_wager", Numeric(18, 8), nullable=False),
    Column("wager_today", Numeric(18, 8), nullable=False),
    Column("wager_week", Numeric(18, 8), nullable=False),
    Column("wager_month", Numeric(18, 8), nullable=False),
    Column("read_at", Instant, nullable=False, index=True),
)

# Never edited: the newest row is in force.
tier_versions = Table(
    "tier_versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tiers", JSONB, nullable=False),  # [{"name": "Copper", "min_wager": "0.00", "reward": null}, …], ascending
    Column("created_at", Instant, nullable=False, server_default=func.now()),
)

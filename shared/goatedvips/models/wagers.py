"""The accounts of the affiliate feed, and the tiers that members reach by their lifetime wager."""

from sqlalchemy import Column, Integer, Numeric, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.models.schema import Instant, metadata

# All accounts of the feed at their last reading. A member whose uid is linked takes over the totals of its account.
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

# Rows are never edited. The newest one is in force.
tier_versions = Table(
    "tier_versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tiers", JSONB, nullable=False),  # [{"name": "Copper", "min_wager": "0.00", "reward": null}, …], ascending
    Column("created_at", Instant, nullable=False, server_default=func.now()),
)

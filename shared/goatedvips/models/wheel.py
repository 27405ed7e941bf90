"""Spins of the wheel."""

from sqlalchemy import Column, Date, ForeignKey, Index, Integer, LargeBinary, Table, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.models.schema import Instant, metadata

wheel_spins = Table(
    "wheel_spins",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id")),
    Column("segment_index", Integer, nullable=False),
    Column("reward_code", Text),
    Column("timestamp", Instant, nullable=False, server_default=func.now()),
    Column("spin_day", Date),  # UTC; null in an adopted row that is not its day's first
    # Null in adopted rows: what they were drawn from is not known.
    Column("version_id", Integer, ForeignKey("wheel_versions.id")),
    Column("seed_id", Integer, ForeignKey("wheel_seeds.id")),
    Column("nonce", Integer),
    Column("client_seed", Text),
    UniqueConstraint("user_id", "spin_day"),
    Index(
        "wheel_spins_without_day_idx",
        "user_id",
        text('(("timestamp")::date)'),
        postgresql_where=text("spin_day IS NULL"),
    ),
)

# Never edited: a spin keeps the wheel that it was drawn on.
wheel_versions = Table(
    "wheel_versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("segments", JSONB, nullable=False),  # [{"label": "$100", "weight": 1, "value": "100.00"}, …]
    Column("created_at", Instant, nullable=False, server_default=func.now()),
)

# A member's seeds: one upcoming (not activated), one active (activated, not revealed), any number revealed.
wheel_seeds = Table(
    "wheel_seeds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("server_seed", LargeBinary, nullable=False),  # 32 bytes
    Column("client_seed", Text, nullable=False),  # the last one used
    Column("nonce", Integer, nullable=False, server_default=text("0")),  # of the next spin
    Column("created_at", Instant, nullable=False),
    Column("activated_at", Instant),
    Column("revealed_at", Instant),
    Index("wheel_seeds_user_id_idx", "user_id"),
    Index("wheel_seeds_upcoming_key", "user_id", unique=True, postgresql_where=text("activated_at IS NULL")),
    Index(
        "wheel_seeds_active_key",
        "user_id",
        unique=True,
        postgresql_where=text("activated_at IS NOT NULL AND revealed_at IS NULL"),
    ),
)

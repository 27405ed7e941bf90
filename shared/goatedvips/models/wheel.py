"""Spins, versions and server seeds of the wheel."""

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
    Column("spin_day", Date),  # key column: the UTC day; null in an adopted row that is not the first of its day
    # The inputs of the draw. Null in adopted rows, whose draw is unknown.
    Column("version_id", Integer, ForeignKey("wheel_versions.id")),
    Column("seed_id", Integer, ForeignKey("wheel_seeds.id")),
    Column("nonce", Integer),
    Column("client_seed", Text),
    UniqueConstraint("user_id", "spin_day"),
    # The condition keeps the index from all queries but that of `history`, whose plans it would change.
    Index("wheel_spins_user_id_id_idx", "user_id", "id", postgresql_where=text("id > 0")),
    Index(
        "wheel_spins_client_seed_idx",
        "user_id",
        "client_seed",
        "timestamp",
        postgresql_where=text("client_seed IS NOT NULL"),
    ),
    Index(
        "wheel_spins_without_day_idx",
        "user_id",
        text('(("timestamp")::date)'),
        postgresql_where=text("spin_day IS NULL"),
    ),
)

# Rows are never edited, so a spin keeps the wheel that it was drawn on.
wheel_versions = Table(
    "wheel_versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("segments", JSONB, nullable=False),  # [{"label": "$100", "weight": 1, "value": "100.00"}, …]
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    Column("in_force_from", Instant),  # null: since the wheel began
)

# A member has one upcoming seed (not activated), one active seed (activated, not revealed) and any number of revealed
# ones.
wheel_seeds = Table(
    "wheel_seeds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("server_seed", LargeBinary, nullable=False),  # 32 bytes
    Column("client_seed", Text, nullable=False),  # of the last spin
    Column("nonce", Integer, nullable=False, server_default=text("0")),  # of the next spin
    Column("created_at", Instant, nullable=False),
    Column("activated_at", Instant),
    Column("revealed_at", Instant),
    # The client seed that the member chose with the rotation that activated this seed. Never changed.
    Column("chosen_client_seed", Text),
    Index("wheel_seeds_user_id_id_idx", "user_id", "id"),
    Index(
        "wheel_seeds_chosen_client_seed_idx",
        "user_id",
        "chosen_client_seed",
        "activated_at",
        postgresql_where=text("chosen_client_seed IS NOT NULL"),
    ),
    Index("wheel_seeds_upcoming_key", "user_id", unique=True, postgresql_where=text("activated_at IS NULL")),
    Index(
        "wheel_seeds_active_key",
        "user_id",
        unique=True,
        postgresql_where=text("activated_at IS NOT NULL AND revealed_at IS NULL"),
    ),
)

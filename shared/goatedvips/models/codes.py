"""Bonus codes and the members' claims."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Numeric, Table, Text, UniqueConstraint, func, text

from goatedvips.models.schema import Instant, metadata

# Codes that were generated together.
code_batches = Table(
    "code_batches",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("size", Integer, nullable=False),
    # The owner of its codes, for the audit log; null: anyone can claim them.
    Column("user_id", Integer, ForeignKey("users.id", ondelete="SET NULL")),
    Column("created_at", Instant, nullable=False),
    Index("code_batches_user_id_idx", "user_id", postgresql_where=text("user_id IS NOT NULL")),
)

bonus_codes = Table(
    "bonus_codes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("user_id", Integer, ForeignKey("users.id")),
    Column("claimed_at", Instant, nullable=False, server_default=func.now()),
    Column("expires_at", Instant, nullable=False),
    Column("is_used", Boolean, nullable=False, server_default=text("false")),
    # Key column, made by the database's function code_key; null in an adopted row that repeats another one.
    Column("code_key", Text, unique=True),
    Column("value", Numeric(18, 2)),  # null in adopted rows
    Column("currency", Text, nullable=False, server_default="USD"),
    Column("starts_at", Instant),
    Column("max_claims", Integer, server_default=text("1")),  # null: no limit; an adopted code can be claimed once
    Column("claims", Integer, nullable=False, server_default=text("0")),
    Column("revoked_at", Instant),
    # The winning spin whose code it is.
    Column("spin_id", Integer, ForeignKey("wheel_spins.id", ondelete="SET NULL"), unique=True),
    Column("batch_id", Integer, ForeignKey("code_batches.id")),  # null: issued alone
    Index("bonus_codes_user_id_id_idx", "user_id", "id"),
    # Not of `claims`: an update of an indexed column writes all indexes anew.
    Index(
        "bonus_codes_expires_at_idx", "expires_at", postgresql_where=text("value IS NOT NULL AND revoked_at IS NULL")
    ),
    Index("bonus_codes_batch_id_id_idx", "batch_id", "id", postgresql_where=text("batch_id IS NOT NULL")),
    Index("bonus_codes_without_key_idx", text("code_key(code)"), postgresql_where=text("code_key IS NULL")),
)

code_claims = Table(
    "code_claims",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("code_id", Integer, ForeignKey("bonus_codes.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("claimed_at", Instant, nullable=False),
    UniqueConstraint("code_id", "user_id"),
    Index("code_claims_user_id_id_idx", "user_id", "id"),
)

"""The ledger of rewards: every value that was granted to a member."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Numeric, Table, Text, UniqueConstraint, text

from goatedvips.models.schema import Instant, metadata

# Rows are only inserted, never updated or deleted.
rewards = Table(
    "rewards",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id"), nullable=False),
    Column("source_type", Text, nullable=False),  # spin, code
    Column("source_id", Integer, nullable=False),  # the id of the spin or of the code
    Column("amount", Numeric(18, 2), nullable=False),
    Column("currency", Text, nullable=False, server_default="USD"),
    Column("created_at", Instant, nullable=False),
    Column("fulfilled_at", Instant),  # when staff paid it
    UniqueConstraint("source_type", "source_id", "user_id"),
    Index("rewards_user_id_id_idx", "user_id", "id"),
    Index("rewards_unfulfilled_idx", "id", postgresql_where=text("fulfilled_at IS NULL")),
)

"""The ledger of all value granted."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Numeric, Table, Text, UniqueConstraint, text

from goatedvips.models.schema import Instant, metadata

# Rows are only ever added.
rewards = Table(
    "rewards",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id"), nullable=False),
    Column("source_type", Text, nullable=False),  # spin, code
    Column("source_id", Integer, nullable=False),  # of the spin, of the code
    Column("amount", Numeric(18, 2), nullable=False),
    Column("currency", Text, nullable=False, server_default="USD"),
    Column("created_at", Instant, nullable=False),
    Column("fulfilled_at", Instant),  # when staff handed it over
    UniqueConstraint("source_type", "source_id", "user_id"),
    Index("rewards_user_id_id_idx", "user_id", "id"),
    Index("rewards_unfulfilled_idx", "id", postgresql_where=text("fulfilled_at IS NULL")),
)

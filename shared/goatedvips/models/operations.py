"""Records of requests: answers by Idempotency-Key, and the audit log of changes by staff. Figures of the overview."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.models.schema import Instant, metadata

# A row commits in the transaction of the request's effect, so it exists if and only if the effect does.
idempotency_records = Table(
    "idempotency_records",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("request_hash", LargeBinary, nullable=False),  # SHA-256 of method, path and query
    Column("key", Text, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),  # SHA-256
    Column("created_at", Instant, nullable=False),
    Column("status", SmallInteger),
    Column("answer", Text),
    UniqueConstraint("user_id", "request_hash", "key"),
    Index("idempotency_records_created_at_idx", "created_at"),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("staff_id", Integer, ForeignKey("users.id"), nullable=False, index=True),
    Column("action", Text, nullable=False),
    Column("subject_id", Integer, nullable=False),  # the id of the changed row; its table follows from the action
    Column("before", JSONB),
    Column("after", JSONB),
    Column("request_id", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index("audit_log_subject_id_id_idx", "subject_id", "id"),
)

# The figures of the staff's overview, counted in the background.
figures = Table(
    "figures",
    metadata,
    Column("name", Text, primary_key=True),  # as the overview names it, with its section in front: members.active
    Column("value", Numeric(28, 8)),  # null: unknown, as an estimate of a table that was never analysed
    Column("as_of", Instant, nullable=False),  # when it was counted
)

"""Members and staff, their sessions, and what is counted and mailed to prove who they are."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
    func,
    text,
)

from goatedvips.models.schema import Instant, metadata

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("username", Text, nullable=False, unique=True),
    Column("password", Text, nullable=False),
    Column("email", Text, nullable=False, unique=True),
    Column("is_admin", Boolean, nullable=False, server_default=text("false")),
    Column("email_verified", Boolean, server_default=text("false")),
    Column("bio", Text),
    Column("profile_color", Text, server_default="#D7FF00"),
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    Column("last_active", Instant),
    Column("is_active", Boolean, nullable=False, server_default=text("false")),
    # The member's id on the affiliate's side, and what its feed says of them.
    Column("uid", Text, unique=True),
    Column("total_wager", Numeric(18, 8), nullable=False, server_default=text("'0'")),
    Column("wager_today", Numeric(18, 8), nullable=False, server_default=text("'0'")),
    Column("wager_week", Numeric(18, 8), nullable=False, server_default=text("'0'")),
    Column("wager_month", Numeric(18, 8), nullable=False, server_default=text("'0'")),
    Column("verified", Boolean, nullable=False, server_default=text("false")),
    # Null in an adopted row whose spelling collides, ignoring case, with an older row's.
    Column("username_key", Text, unique=True),
    Column("email_key", Text, unique=True),
    Column("suspended_at", Instant),
    # An exclusion lasts until its end has passed and the member has ended it.
    Column("excluded_until", Instant),
    Column("excluded_permanently", Boolean, nullable=False, server_default=text("false")),
    Column("hide_name", Boolean, nullable=False, server_default=text("false")),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id"), nullable=False, index=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),  # SHA-256
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("ended_at", Instant),
)

# What was mailed to prove an address: the token itself is nowhere but in the mail.
mailed_tokens = Table(
    "mailed_tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("purpose", Text, nullable=False),  # email_verification, newsletter_confirmation
    Column("token_hash", LargeBinary, nullable=False, unique=True),  # SHA-256
    Column("address", Text, nullable=False),
    Column("user_id", Integer, ForeignKey("users.id"), index=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
)

# What is counted to slow guessing down.
attempts = Table(
    "attempts",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("kind", Text, nullable=False),  # log_in, register, claim
    Column("subject", Text, nullable=False),  # the account that was tried, the member who tried
    Column("address", Text, nullable=False),  # IPv4, or the /64 of an IPv6 address
    Column("attempted_at", Instant, nullable=False),
    Index("attempts_kind_subject_attempted_at_idx", "kind", "subject", "attempted_at"),
    Index("attempts_kind_address_attempted_at_idx", "kind", "address", "attempted_at"),
)

"""Members and staff, their sessions, mailed tokens, attempts, links and erased identities."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
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

_STATE = (
    text("COALESCE(tier, '')"),
    "verified",
    text("(suspended_at IS NOT NULL)"),
    text("(excluded_permanently OR excluded_until IS NOT NULL)"),
)
# As an operator class, because the catalogue has a collation apart from the expression, and so a comparison finds it.
_BY_CODE_POINTS = {"key": 'COLLATE "C"'}
_IS_MEMBER = text("NOT is_shell AND erased_at IS NULL")

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
    # The member's id at the casino, and the totals that the affiliate's feed reports for it. The totals have no index:
    # each reading of the feed writes them, and lists are read by the same totals in `wager_accounts`.
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
    # An exclusion lasts until its end has passed and the member has ended it; one of 180 days or more lasts for another
    # day, whose end is then in `excluded_until` and `exclusion_ends_at`.
    Column("excluded_until", Instant),
    Column("excluded_permanently", Boolean, nullable=False, server_default=text("false")),
    Column("excluded_since", Instant),  # when the present exclusion began; null in an excluded row: before all races
    Column("exclusion_ends_at", Instant),
    Column("hide_name", Boolean, nullable=False, server_default=text("false")),
    Column("suspended_reason", Text),  # written by staff
    Column("credentials_changed_at", Instant),  # password or e-mail; links mailed before are invalid
    Column("erased_at", Instant),  # the row stays without personal data, because other tables reference it
    # A row that the legacy application made for a uid of the feed: nobody can log in to it, and no mail reaches it.
    # Only the trigger mark_shell writes it.
    Column("is_shell", Boolean, nullable=False, server_default=text("false")),
    # The highest tier in force that the member has reached, of those in `member_tiers`; null in shells.
    Column("tier", Text),
    Index("users_created_at_idx", "created_at"),
    Index("users_exclusion_ends_at_idx", "exclusion_ends_at", postgresql_where=text("exclusion_ends_at IS NOT NULL")),
    # For look-ups ignoring case, of rows with and without the key, and for searches by prefix.
    Index(
        "users_lower_username_idx",
        func.lower(text("username")).label("key"),
        postgresql_ops={"key": "text_pattern_ops"},
    ),
    Index("users_lower_email_idx", func.lower(text("email")).label("key"), postgresql_ops={"key": "text_pattern_ops"}),
    # For staff's lists. The members of each state (tier, verified, suspended, excluded) stand together, by their ids,
    # usernames or e-mail addresses. A reading of the feed changes none of these columns but the tier, and that seldom.
    Index("users_listed_idx", *_STATE, "id", postgresql_where=_IS_MEMBER),
    Index(
        "users_username_prefix_idx",
        *_STATE,
        func.lower(text("username")).label("key"),
        "id",
        postgresql_ops=_BY_CODE_POINTS,
        postgresql_where=_IS_MEMBER,
    ),
    Index(
        "users_email_prefix_idx",
        *_STATE,
        text("common_prefix_length(lower(username), lower(email))"),
        func.lower(text("email")).label("key"),
        "id",
        postgresql_ops=_BY_CODE_POINTS,
        postgresql_where=_IS_MEMBER,
    ),
    # Partial indexes with few rows, for the check of the last staff member and for the purge.
    Index("users_staff_idx", "id", postgresql_where=text("is_admin")),
    Index("users_active_idx", "last_active", postgresql_where=text("is_active")),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),  # SHA-256
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("ended_at", Instant),
)

# Tokens of mailed links. Only the mail has the token itself.
mailed_tokens = Table(
    "mailed_tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    # email_verification, email_change, password_reset, newsletter_confirmation
    Column("purpose", Text, nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),  # SHA-256
    Column("address", Text, nullable=False),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    Index("mailed_tokens_used_idx", func.lower(text("address")), postgresql_where=text("used_at IS NOT NULL")),
)

# Attempts that throttles count.
attempts = Table(
    "attempts",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("kind", Text, nullable=False),  # log_in, register, claim, mail_own, mail_reset, mail_change, no_mail …
    Column(
        "subject", Text, nullable=False
    ),  # the account tried or the member who tried, or a keyed hash of an address or a login
    Column("address", Text, nullable=False),  # IPv4, or the /64 of an IPv6 address
    Column("attempted_at", Instant, nullable=False),
    Index("attempts_kind_subject_attempted_at_idx", "kind", "subject", "attempted_at"),
    Index("attempts_kind_address_attempted_at_idx", "kind", "address", "attempted_at"),
)

# Members' requests to link a casino account. Staff decide them.
account_links = Table(
    "account_links",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("uid", Text, nullable=False),
    Column("requested_at", Instant, nullable=False),
    Column("decision", Text),  # approved, refused; null: pending
    Column("reason", Text),
    Column("decided_at", Instant),
    Column("decided_by", Integer, ForeignKey("users.id", ondelete="SET NULL"), index=True),
    Index("account_links_user_id_id_idx", "user_id", "id"),
    Index("account_links_pending_key", "user_id", unique=True, postgresql_where=text("decision IS NULL")),
    Index("account_links_pending_uid_idx", "uid", postgresql_where=text("decision IS NULL")),
    Index("account_links_pending_idx", "id", postgresql_where=text("decision IS NULL")),
    Index("account_links_decided_idx", "id", postgresql_where=text("decision IS NOT NULL")),
)

# Keyed hashes of erased members' e-mail addresses and uids, and of those that excluded members gave up. Exclusions
# survive with them.
erased_identities = Table(
    "erased_identities",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("identity", LargeBinary, nullable=False, unique=True),  # identity_hash(kind, value)
    Column("erased_at", Instant, nullable=False),
    Column("excluded_until", Instant),
    Column("excluded_permanently", Boolean, nullable=False, server_default=text("false")),
    # The excluded member who gave it up and may be excluded for longer later; null: the member is erased.
    Column("given_up_by", Integer, ForeignKey("users.id", ondelete="SET NULL")),
    Index("erased_identities_given_up_by_idx", "given_up_by", postgresql_where=text("given_up_by IS NOT NULL")),
)

# One row, made by a migration. Only the SQL function identity_hash reads it.
identity_key = Table(
    "identity_key",
    metadata,
    Column("id", Boolean, CheckConstraint("id IS TRUE", name="identity_key_one_row"), primary_key=True),
    Column("key", LargeBinary, nullable=False),
)

"""The accounts of the affiliate feed, and the tiers that members reach by their lifetime wager."""

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    Computed,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.models.schema import Instant, metadata


def _order_of(figure: str) -> Index:
    """The index that a leaderboard by a figure is read by: the listed accounts by that figure, then the others."""
    return Index(
        f"wager_accounts_listed_{figure}_idx",
        "is_listed",
        text(f"{figure} DESC"),
        "user_id",
        postgresql_where=text(f"user_id IS NOT NULL AND {figure} > 0"),
    )


# Each raw feed that was ingested. The order of feeds is that of their requests, then of their keys.
feeds = Table(
    "feeds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # of the object in S3
    Column("requested_at", Instant, nullable=False),
    Column("ingested_at", Instant, nullable=False),
    Column("sha256", Text, nullable=False),  # of the uncompressed object, in hexadecimal
    Column("is_whole", Boolean, nullable=False),
    Column("problem", Text),  # why it is no feed, or not whole
    Column("entry_count", Integer, nullable=False),
    Column("bad_count", Integer, nullable=False),
    Column(
        "uid_count", Integer, nullable=False
    ),  # different uids, those of bad entries included; 0: no feed, so nothing was read from it
    Column("missing_count", Integer, nullable=False),  # uids of the last whole feed that it lacks
    Column("total_users", Integer),  # the number of entries that it says it has
    Column("last_updated", Instant),  # as it says
    Column("token_ends_at", Instant),  # of the token with which it was requested; null if that shows no end
    # When staff accepted the feed as whole.
    Column("accepted_at", Instant),
    Column("accepted_by", Integer, ForeignKey("users.id", ondelete="SET NULL"), index=True),
    Index("feeds_requested_at_key_idx", "requested_at", "key"),
    Index("feeds_read_idx", "requested_at", "key", postgresql_where=text("uid_count > 0")),
)

# The entries of the feed that a transaction ingests. It deletes them before it commits. A bad entry has no figures.
feed_entries = Table(
    "feed_entries",
    metadata,
    Column("uid", Text, nullable=False),
    Column("name", Text),
    Column("total_wager", Numeric(18, 8)),
    Column("wager_today", Numeric(18, 8)),
    Column("wager_week", Numeric(18, 8)),
    Column("wager_month", Numeric(18, 8)),
    prefixes=["UNLOGGED"],
)

# Members whose uid was in no feed when they got it. The trigger note_unread_member inserts them, and the ingest of a
# feed that has the uid deletes them.
unread_members = Table(
    "unread_members",
    metadata,
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
)

# All accounts of the feed at their last reading. A member whose uid is linked takes over the totals of its account.
wager_accounts = Table(
    "wager_accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", Text, nullable=False, unique=True),
    # The member, not a shell, whom the uid is linked to. Only the trigger link_wager_account and ingest write it, and
    # the trigger follow_link notes it in `link_periods`.
    Column("user_id", Integer, ForeignKey("users.id", ondelete="SET NULL"), unique=True),
    Column("name", Text),
    Column("total_wager", Numeric(18, 8), nullable=False),
    Column("wager_today", Numeric(18, 8), nullable=False),
    Column("wager_week", Numeric(18, 8), nullable=False),
    Column("wager_month", Numeric(18, 8), nullable=False),
    # When the feed was requested that the figures come from. A later feed with the same figures leaves it as it is.
    Column("read_at", Instant, nullable=False),
    # The highest total of all readings, less what accepted falls took away. Null: no reading yet.
    Column("highest", Numeric(18, 8)),
    # When the feed was requested that first had the uid, if only in a bad entry. Null: adopted, so before all feeds.
    Column("first_seen_at", Instant),
    # The first reading.
    Column("first_read_at", Instant),
    Column("first_total", Numeric(18, 8)),
    Column("first_week", Numeric(18, 8)),
    Column("first_month", Numeric(18, 8)),
    # When the feed was requested since which the newest feeds lack the uid; null: the newest feed has it.
    Column("absent_since", Instant),
    # In leaderboards: linked to a member who is neither excluded nor suspended. Only the triggers follow_link and
    # list_account write it.
    Column("is_listed", Boolean, nullable=False, server_default=text("false")),
    # Whether the present rows of `wager_board_blocks` were written since the account was listed. Only the two triggers
    # take the mark away.
    Column("is_placed", Boolean, nullable=False, server_default=text("false")),
    Column("unplaced_total", Numeric(18, 8)),  # the total of a listed account that is not placed
    Column("is_fallen", Boolean, Computed("total_wager < highest", persisted=True)),
    # No index has the total or `highest`, nor refers to them in its condition: so most updates are heap-only (HOT).
    *(_order_of(figure) for figure in ("wager_today", "wager_week", "wager_month")),
    Index(
        "wager_accounts_unplaced_idx",
        text("unplaced_total DESC"),
        "user_id",
        postgresql_where=text("is_listed AND NOT is_placed"),
    ),
    Index("wager_accounts_is_fallen_idx", "id", postgresql_where=text("is_fallen")),
)

# The order of the community's leaderboard of all time: listed accounts by total and id of their member, a hundred in a
# row. Each ingest writes all blocks anew.
wager_board_blocks = Table(
    "wager_board_blocks",
    metadata,
    Column("last_place", Numeric(18, 8)),  # the total of the last account of the block, negative
    Column("last_user_id", Integer),  # whom it is linked to
    Column("account_ids", ARRAY(Integer), nullable=False),
    PrimaryKeyConstraint("last_place", "last_user_id"),
)

# Totals of accounts at the request of a feed, stored only where the total changed. No foreign keys: two checks for each
# row would cost more than its insert.
wager_readings = Table(
    "wager_readings",
    metadata,
    Column("account_id", Integer),
    Column("requested_at", Instant),
    Column("feed_id", Integer, nullable=False),
    Column("total", Numeric(18, 8), nullable=False),
    # What falls that were accepted later take away from the total: `total - lowered` counts.
    Column("lowered", Numeric(18, 8), nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("account_id", "requested_at"),
)

# Falls of a total that staff accepted: the account goes on from the lower one. A reading that was requested up to
# `last_feed_at` and comes in after the acceptance is not stored.
accepted_falls = Table(
    "accepted_falls",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", Integer, ForeignKey("wager_accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("feed_id", Integer, ForeignKey("feeds.id"), nullable=False, index=True),  # that had the lower total
    Column("from_total", Numeric(18, 8), nullable=False),
    Column("to_total", Numeric(18, 8), nullable=False),
    Column("accepted_at", Instant, nullable=False),
    Column("accepted_by", Integer, ForeignKey("users.id", ondelete="SET NULL"), index=True),
    # When the newest feed was requested that had the account at the acceptance: its total was the accepted one, too.
    Column("last_feed_at", Instant),
)

# For how long an account was linked to a member, and what of its wagers statements have counted. The trigger
# follow_link inserts and ends a period. An accepted fall lowers all three totals.
link_periods = Table(
    "link_periods",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    # Null: the account was erased with another member.
    Column("account_id", Integer, ForeignKey("wager_accounts.id", ondelete="SET NULL"), index=True),
    # The highest total when the account was linked. Null: there was no reading yet, so its first reading counts.
    Column("opening", Numeric(18, 8)),
    Column("closing", Numeric(18, 8)),  # the highest total up to which statements count; null: there is none yet
    Column("final", Numeric(18, 8)),  # the highest total when the link ended; null: it stands
    Index("link_periods_linked_key", "account_id", unique=True, postgresql_where=text("final IS NULL")),
)

# What a member did in a month of UTC. A row is inserted once, and never updated.
statements = Table(
    "statements",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("month", Instant, nullable=False),  # its first instant
    Column("wagered", Numeric(18, 8), nullable=False),
    Column("spins", Integer, nullable=False),
    Column("claims", Integer, nullable=False),
    Column("rewards", Numeric(18, 2), nullable=False),  # the sum of what was granted, corrections included
    # Those that were settled: [{"race_id": 1, "title": "…", "rank": 1, "prize": "50.00"}, …]
    Column("races", JSONB, nullable=False),
    Column("tier", Text),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("user_id", "month"),
)

# Rows are never edited. The newest one is in force.
tier_versions = Table(
    "tier_versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tiers", JSONB, nullable=False),  # [{"name": "Copper", "min_wager": "0.00", "reward": null}, …], ascending
    Column("created_at", Instant, nullable=False, server_default=func.now()),
)

# The tiers that a member has reached, each once: with one, all that are below it. A tier is the same in all versions by
# its name. Rows are never edited. The trigger record_first_tiers writes those of a new member.
member_tiers = Table(
    "member_tiers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("tier", Text, nullable=False),
    Column("reached_at", Instant, nullable=False),
    Column("reward", Numeric(18, 2), nullable=False, server_default=text("0")),  # the amount in the ledger, if any
    Column("is_silent", Boolean, nullable=False),  # recorded without reward and notification
    UniqueConstraint("user_id", "tier", name="member_tiers_user_id_tier_unique"),
)

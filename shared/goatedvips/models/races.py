"""Wager races, their participants, and the archive of past races."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
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

wager_races = Table(
    "wager_races",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("title", Text, nullable=False),
    Column("type", Text, nullable=False),  # weekly, monthly, weekend
    Column("status", Text, nullable=False),  # upcoming, live, completed
    Column("prize_pool", Numeric(18, 2), nullable=False),
    Column("start_date", Instant, nullable=False),
    Column("end_date", Instant, nullable=False),
    Column("min_wager", Numeric(18, 2), nullable=False),
    Column("prize_distribution", JSONB, nullable=False),  # percent by rank: {"1": 25, "2": 15}
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    Column("updated_at", Instant, nullable=False, server_default=func.now()),
    Column("rules", Text),
    Column("description", Text),
    Column("settled_at", Instant),
    Column("cancelled_at", Instant),
    # Null: the legacy application made the race, or the user who made it was deleted.
    Column("created_by", Integer, ForeignKey("users.id", ondelete="SET NULL")),
    # Of a repeating race: the zone of its windows, and the race before it. Unique, so that no race has two successors.
    Column("time_zone", Text),
    Column("follows_id", Integer, ForeignKey("wager_races.id", ondelete="SET NULL"), unique=True),
    # How many participants are listed, without `participant_changes`.
    Column("participant_count", Integer, nullable=False, server_default=text("0")),
    # The legacy application made the race: its inserts leave the column to the server's default. The schedule does not
    # settle such a race.
    Column("is_legacy", Boolean, nullable=False, default=False, server_default=text("true")),
    # The feed that scores and ranks were last computed from. Null: none yet.
    Column("board_feed_id", Integer, ForeignKey("feeds.id"), index=True),
    Index("wager_races_start_date_id_idx", "start_date", "id"),
    Index("wager_races_end_date_idx", "end_date", postgresql_where=text("cancelled_at IS NULL")),
    Index(
        "wager_races_unsettled_idx",
        "end_date",
        postgresql_where=text("settled_at IS NULL AND cancelled_at IS NULL"),
    ),
    Index("wager_races_not_cancelled_idx", "start_date", "id", postgresql_where=text("cancelled_at IS NULL")),
    Index("wager_races_cancelled_idx", "start_date", "id", postgresql_where=text("cancelled_at IS NOT NULL")),
)

wager_race_participants = Table(
    "wager_race_participants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("race_id", Integer, ForeignKey("wager_races.id")),
    Column("user_id", Integer, ForeignKey("users.id")),
    Column("total_wager", Numeric(18, 2), nullable=False),  # the score
    Column("rank", Integer),  # null: unranked
    Column("joined_at", Instant, nullable=False, server_default=func.now()),
    Column("updated_at", Instant, nullable=False, server_default=func.now()),
    Column("wager_history", JSONB),
    Column("member_key", Integer),  # key column: the member; null in an adopted row that repeats an older one
    # In leaderboards and counted: with a key, and no shell's. Only the trigger mark_listed writes it.
    Column("is_listed", Boolean, nullable=False, server_default=text("false")),
    # The account whose total at the start of the race is `base`. Where it is another than the member's present one, or
    # the base is null, the base is computed anew. No foreign key: the index for it would cost a write at each new rank.
    Column("account_id", Integer),
    Column("base", Numeric(18, 8)),
    # The account appeared after the start: its base is the first total less what the feed's own counters say was
    # wagered in the last week or month.
    Column("is_new", Boolean, nullable=False, server_default=text("false")),
    Column("carried_over", Numeric(18, 2), nullable=False, server_default=text("0")),  # counted before the adoption
    Column("disqualified_at", Instant),
    # The account's highest total within the race. The settlement writes it; the score is what it is above the base.
    Column("end_total", Numeric(18, 8)),
    # Why the settlement gave no rank; null: it gave one, or the race was settled before the platform noted reasons.
    Column("unranked_reason", Text),
    # Whether the row stands in `race_board_blocks`. Only rows with a rank do.
    Column("is_placed", Boolean, nullable=False, server_default=text("false")),
    # The rank, if the platform has written it. The trigger note_rank finds another one, which the legacy application
    # has written, and notes it too: such a row is no longer placed.
    Column("noted_rank", Integer),
    Column("unplaced_rank", Integer),  # the rank of a row that is not placed
    UniqueConstraint("race_id", "member_key"),
    # No index has the rank itself: each ingest changes most ranks, and would have to write an entry for each.
    Index(
        "wager_race_participants_unplaced_idx",
        "race_id",
        "unplaced_rank",
        "id",
        postgresql_where=text("is_listed AND NOT is_placed"),
    ),
    Index("wager_race_participants_user_id_id_idx", "user_id", "id"),
    Index(
        "wager_race_participants_without_key_idx",
        "race_id",
        "user_id",
        postgresql_where=text("member_key IS NULL"),
    ),
)

# The order of a race's leaderboard: its ranked participants by rank and id, a hundred in a row. Whatever writes ranks
# writes all blocks of the race anew.
race_board_blocks = Table(
    "race_board_blocks",
    metadata,
    Column("race_id", Integer, ForeignKey("wager_races.id", ondelete="CASCADE")),
    Column("last_rank", Integer),  # of the last participant of the block
    Column("last_id", Integer),
    Column("participant_ids", ARRAY(Integer), nullable=False),
    PrimaryKeyConstraint("race_id", "last_rank", "last_id"),
)

# How the number of a race's listed participants has changed since `participant_count` was written. The trigger
# count_participant inserts a row for each participant; `participant_counts.fold` adds them up.
participant_changes = Table(
    "participant_changes",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("race_id", Integer, ForeignKey("wager_races.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("change", Integer, nullable=False),
)

historical_races = Table(
    "historical_races",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("month", Text, nullable=False),
    Column("year", Text, nullable=False),
    Column("prize_pool", Numeric(10, 2), nullable=False),
    Column("start_date", Instant, nullable=False),
    Column("end_date", Instant, nullable=False),
    Column("participants", JSONB, nullable=False),
    Column("total_wagered", Numeric(18, 2), nullable=False),
    Column("participant_count", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="completed"),
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'")),
    Column("race_id", Integer, ForeignKey("wager_races.id", ondelete="SET NULL"), unique=True),  # null: adopted
    Index("historical_races_end_date_id_idx", "end_date", "id"),
)

# The feed that counts as the state of the accounts at the instant of a race's start or end: the first whole one that
# was requested then or later. Until a settlement fixes it, an earlier one that arrives late takes its place.
race_boundaries = Table(
    "race_boundaries",
    metadata,
    Column("instant", Instant, primary_key=True),
    Column("feed_id", Integer, ForeignKey("feeds.id"), nullable=False, index=True),
    Column("fixed_at", Instant),
    Column("kept_at", Instant),  # when the raw feed was copied to where the bucket keeps it for longer
    Index(
        "race_boundaries_not_kept_idx",
        "instant",
        postgresql_where=text("fixed_at IS NOT NULL AND kept_at IS NULL"),
    ),
)

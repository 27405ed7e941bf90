"""The order of leaderboards in rows of its own, each with a hundred places.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.

- No index has a rank or a lifetime total any more, nor refers to one in its condition. So an ingest that changes all of
  them updates heap-only tuples (HOT), and writes no index entry for each.
- The ranks that are there, such as the legacy application's, are read by an index of rows that stand in no block.
"""

from migrations import board_routines, online

revision = "boards_in_blocks"
down_revision = "ends_of_exclusions"

RACE_BLOCKS = """
CREATE TABLE IF NOT EXISTS race_board_blocks (
    race_id integer NOT NULL CONSTRAINT race_board_blocks_race_id_wager_races_id_fk
        REFERENCES wager_races (id) ON DELETE CASCADE,
    last_rank integer NOT NULL,
    last_id integer NOT NULL,
    participant_ids integer[] NOT NULL,
    CONSTRAINT race_board_blocks_pkey PRIMARY KEY (race_id, last_rank, last_id)
)
"""
WAGER_BLOCKS = """
CREATE TABLE IF NOT EXISTS wager_board_blocks (
    last_place numeric(18, 8) NOT NULL,
    last_user_id integer NOT NULL,
    account_ids integer[] NOT NULL,
    CONSTRAINT wager_board_blocks_pkey PRIMARY KEY (last_place, last_user_id)
)
"""
IS_FALLEN = "is_fallen boolean GENERATED ALWAYS AS (total_wager < highest) STORED"
FUNCTIONS = ("note_rank", "unplace_account")
INDEXES = (
    (
        "wager_race_participants_unplaced_idx",
        "wager_race_participants (race_id, unplaced_rank, id) WHERE is_listed AND NOT is_placed",
    ),
    ("wager_accounts_unplaced_idx", "wager_accounts (unplaced_total DESC, user_id) WHERE is_listed AND NOT is_placed"),
    ("wager_accounts_is_fallen_idx", "wager_accounts (id) WHERE is_fallen"),
)
REPLACED = ("wager_race_participants_listed_idx", "wager_accounts_listed_total_wager_idx", "wager_accounts_fallen_idx")


def upgrade() -> None:
    """Add the tables, columns and triggers, note old ranks and totals, and replace the indexes."""
    online.change(RACE_BLOCKS, WAGER_BLOCKS, locks=["wager_races"])
    online.add_columns(
        "wager_race_participants",
        "is_placed boolean DEFAULT false NOT NULL",
        "noted_rank integer",
        "unplaced_rank integer",
    )
    online.add_columns(
        "wager_accounts", "is_placed boolean DEFAULT false NOT NULL", "unplaced_total numeric(18, 8)", IS_FALLEN
    )
    online.change(
        *(f"ALTER TABLE {table} SET (fillfactor = 50)" for table in ("wager_race_participants", "wager_accounts")),
        locks=["wager_race_participants"],
    )
    online.change(*(function.create for function in board_routines.FUNCTIONS if function.name in FUNCTIONS))
    for trigger in board_routines.TRIGGERS:
        if trigger.function in FUNCTIONS:
            online.change(trigger.create, locks=[trigger.table])
    online.fill(
        "wager_race_participants",
        "r.rank IS DISTINCT FROM r.noted_rank",
        "UPDATE wager_race_participants r SET noted_rank = r.rank, unplaced_rank = r.rank, is_placed = false FROM batch"
        " WHERE r.id = batch.id RETURNING r.id",
    )
    online.fill(
        "wager_accounts",
        "r.is_listed AND NOT r.is_placed AND r.unplaced_total IS NULL",
        "UPDATE wager_accounts r SET unplaced_total = r.total_wager FROM batch WHERE r.id = batch.id RETURNING r.id",
    )
    for name, definition in INDEXES:
        online.add_index(name, definition)
    for name in REPLACED:
        online.drop_index(name)

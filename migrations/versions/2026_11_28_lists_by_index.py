"""Columns and indexes with which a page of each list reads few rows, however many rows there are.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import list_routines, online

revision = "lists_by_index"
down_revision = "code_batches"

PARTICIPANT_CHANGES = """
CREATE TABLE IF NOT EXISTS participant_changes (
    id bigserial CONSTRAINT participant_changes_pkey PRIMARY KEY,
    race_id integer NOT NULL CONSTRAINT participant_changes_race_id_wager_races_id_fk
        REFERENCES wager_races (id) ON DELETE CASCADE,
    change integer NOT NULL
)
"""
CHANGES_INDEX = "CREATE INDEX IF NOT EXISTS participant_changes_race_id_idx ON participant_changes (race_id)"

STATE = "COALESCE(tier, ''), verified, (suspended_at IS NOT NULL), (excluded_permanently OR excluded_until IS NOT NULL)"
COMMON_LENGTH = "common_prefix_length(lower(username), lower(email))"
IS_MEMBER = "NOT is_shell AND erased_at IS NULL"
INDEXES = (
    ("users_listed_idx", f"users ({STATE}, id) WHERE {IS_MEMBER}"),
    ("users_username_prefix_idx", f'users ({STATE}, (lower(username) COLLATE "C"), id) WHERE {IS_MEMBER}'),
    (
        "users_email_prefix_idx",
        f'users ({STATE}, {COMMON_LENGTH}, (lower(email) COLLATE "C"), id) WHERE {IS_MEMBER}',
    ),
    ("wager_races_end_date_idx", "wager_races (end_date) WHERE cancelled_at IS NULL"),
    ("wager_races_not_cancelled_idx", "wager_races (start_date, id) WHERE cancelled_at IS NULL"),
    ("wager_races_cancelled_idx", "wager_races (start_date, id) WHERE cancelled_at IS NOT NULL"),
    ("wager_race_participants_listed_idx", "wager_race_participants (race_id, rank, id) WHERE is_listed"),
    ("account_links_pending_uid_idx", "account_links (uid) WHERE decision IS NULL"),
    ("account_links_pending_idx", "account_links (id) WHERE decision IS NULL"),
    ("account_links_decided_idx", "account_links (id) WHERE decision IS NOT NULL"),
)
REPLACED = ("users_suspended_idx", "users_excluded_idx", "wager_race_participants_race_id_rank_id_idx")


def upgrade() -> None:
    """Add the columns and their triggers, fill old rows, and build the indexes; the version before goes on working."""
    online.add_columns("users", "tier text")
    online.add_columns("wager_race_participants", "is_listed boolean DEFAULT false NOT NULL")
    online.add_columns("wager_races", "participant_count integer DEFAULT 0 NOT NULL")
    online.change(PARTICIPANT_CHANGES, CHANGES_INDEX, locks=["wager_races"])
    online.change("ALTER TABLE figures ALTER COLUMN value TYPE numeric(28, 8)")
    online.change(*(function.create for function in list_routines.FUNCTIONS))
    for trigger in list_routines.TRIGGERS:
        online.change(trigger.create, locks=[trigger.table])
    # An update of only this column fires no trigger, so a batch is counted at once and not row by row.
    online.fill(
        "wager_race_participants",
        "NOT r.is_listed AND r.race_id IS NOT NULL AND r.member_key IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM users u WHERE u.id = r.member_key AND u.is_shell)",
        "UPDATE wager_race_participants r SET is_listed = true FROM batch WHERE r.id = batch.id RETURNING r.race_id",
        "INSERT INTO participant_changes (race_id, change)"
        " SELECT race_id, count(*) FROM part_0 GROUP BY race_id RETURNING race_id",
    )
    for name, definition in INDEXES:
        online.add_index(name, definition)
    for name in REPLACED:
        online.drop_index(name)

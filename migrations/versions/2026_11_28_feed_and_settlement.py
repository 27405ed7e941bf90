"""Tables and columns for the affiliate feed, the scores of races and their settlement.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.

- `feed_entries` has only rows of the transaction that ingests a feed: it copies them in and deletes them.
- `wager_readings` has no foreign keys, because checking two for each row would cost more than inserting it.
  `wager_race_participants.account_id` has none either: the index that the deletion of an account would need would have
  to be written at each change of a rank.
- A race that the legacy application inserts gets `is_legacy` by the column's default. The platform's own inserts say
  false, by the model.
"""

from migrations import online, wager_routines

revision = "feed_and_settlement"
down_revision = "lists_by_index"

FEEDS = """
CREATE TABLE IF NOT EXISTS feeds (
    id serial CONSTRAINT feeds_pkey PRIMARY KEY,
    key text NOT NULL CONSTRAINT feeds_key_unique UNIQUE,
    requested_at timestamp NOT NULL,
    ingested_at timestamp NOT NULL,
    sha256 text NOT NULL,
    is_whole boolean NOT NULL,
    problem text,
    entry_count integer NOT NULL,
    bad_count integer NOT NULL,
    uid_count integer NOT NULL,
    missing_count integer NOT NULL,
    total_users integer,
    last_updated timestamp,
    accepted_at timestamp,
    accepted_by integer CONSTRAINT feeds_accepted_by_users_id_fk REFERENCES users (id) ON DELETE SET NULL
)
"""
FEED_ENTRIES = """
CREATE UNLOGGED TABLE IF NOT EXISTS feed_entries (
    uid text NOT NULL,
    name text,
    total_wager numeric(18, 8),
    wager_today numeric(18, 8),
    wager_week numeric(18, 8),
    wager_month numeric(18, 8)
)
"""
READINGS = """
CREATE TABLE IF NOT EXISTS wager_readings (
    account_id integer NOT NULL,
    requested_at timestamp NOT NULL,
    feed_id integer NOT NULL,
    total numeric(18, 8) NOT NULL,
    lowered numeric(18, 8) DEFAULT 0 NOT NULL,
    CONSTRAINT wager_readings_pkey PRIMARY KEY (account_id, requested_at)
)
"""
FALLS = """
CREATE TABLE IF NOT EXISTS accepted_falls (
    id serial CONSTRAINT accepted_falls_pkey PRIMARY KEY,
    account_id integer NOT NULL
        CONSTRAINT accepted_falls_account_id_wager_accounts_id_fk REFERENCES wager_accounts (id) ON DELETE CASCADE,
    feed_id integer NOT NULL CONSTRAINT accepted_falls_feed_id_feeds_id_fk REFERENCES feeds (id),
    from_total numeric(18, 8) NOT NULL,
    to_total numeric(18, 8) NOT NULL,
    accepted_at timestamp NOT NULL,
    accepted_by integer CONSTRAINT accepted_falls_accepted_by_users_id_fk REFERENCES users (id) ON DELETE SET NULL
)
"""
BOUNDARIES = """
CREATE TABLE IF NOT EXISTS race_boundaries (
    instant timestamp CONSTRAINT race_boundaries_pkey PRIMARY KEY,
    feed_id integer NOT NULL CONSTRAINT race_boundaries_feed_id_feeds_id_fk REFERENCES feeds (id),
    fixed_at timestamp
)
"""
# Nobody writes to these tables yet, so an index needs no care.
INDEXES_OF_NEW_TABLES = (
    "feeds_requested_at_key_idx ON feeds (requested_at, key)",
    "feeds_accepted_by_idx ON feeds (accepted_by)",
    "accepted_falls_account_id_idx ON accepted_falls (account_id)",
    "accepted_falls_feed_id_idx ON accepted_falls (feed_id)",
    "accepted_falls_accepted_by_idx ON accepted_falls (accepted_by)",
    "race_boundaries_feed_id_idx ON race_boundaries (feed_id)",
)
LINKS_ACCOUNTS = "link_wager_account"
FIGURES = ("total_wager", "wager_today", "wager_week", "wager_month")
INDEXES = (
    *(
        (f"wager_accounts_{figure}_idx", f"wager_accounts ({figure} DESC, user_id) WHERE {linked}")
        for figure, linked in ((figure, f"user_id IS NOT NULL AND {figure} > 0") for figure in FIGURES)
    ),
    ("wager_accounts_fallen_idx", "wager_accounts (id) WHERE total_wager < highest"),
    ("wager_races_board_feed_id_idx", "wager_races (board_feed_id)"),
    ("wager_races_unsettled_idx", "wager_races (end_date) WHERE settled_at IS NULL AND cancelled_at IS NULL"),
)
# No reader is left for them.
DROPPED = ("users_wager_today_idx", "users_wager_week_idx", "users_wager_month_idx", "wager_accounts_read_at_idx")

# A total that no sum comes out right with is left at zero: the feed brings the account's again.  Shells have accounts
# from the step before, but an account is linked only to a member.
ACCOUNTS = """
    INSERT INTO wager_accounts (uid, user_id, {columns}, read_at)
    SELECT uid, CASE WHEN NOT is_shell THEN id END, {totals},
        CASE WHEN isfinite(created_at) THEN created_at ELSE 'epoch' END
    FROM batch ON CONFLICT (uid) DO UPDATE SET user_id = excluded.user_id RETURNING id
""".format(
    columns=", ".join(FIGURES),
    totals=", ".join(f"CASE WHEN {total} > 0 AND {total} < 'NaN' THEN {total} ELSE 0 END" for total in FIGURES),
)


def upgrade() -> None:
    """Add tables, columns and a trigger; link accounts to members; mark races of the legacy application."""
    online.change(FEEDS, FALLS, locks=["users", "wager_accounts"])
    online.change(FEED_ENTRIES, READINGS, BOUNDARIES)
    online.change(*(f"CREATE INDEX IF NOT EXISTS {index}" for index in INDEXES_OF_NEW_TABLES))
    online.add_columns(
        "wager_accounts",
        "user_id integer",
        "highest numeric(18, 8)",
        "first_seen_at timestamp",
        "first_read_at timestamp",
        "first_total numeric(18, 8)",
        "first_week numeric(18, 8)",
        "first_month numeric(18, 8)",
        "absent_since timestamp",
    )
    online.add_columns("users", "excluded_since timestamp")
    online.change("ALTER TABLE users SET (fillfactor = 50)", locks=["users"])
    online.add_columns("wager_races", "is_legacy boolean DEFAULT true NOT NULL", "board_feed_id integer")
    online.add_columns(
        "wager_race_participants",
        "account_id integer",
        "base numeric(18, 8)",
        "is_new boolean DEFAULT false NOT NULL",
        "carried_over numeric(18, 2) DEFAULT 0 NOT NULL",
        "disqualified_at timestamp",
    )
    online.add_columns("historical_races", "race_id integer")
    online.add_unique("wager_accounts", "user_id")
    online.add_unique("historical_races", "race_id")
    online.replace_foreign_key("wager_accounts", "user_id", "users", "SET NULL")
    online.replace_foreign_key("historical_races", "race_id", "wager_races", "SET NULL")
    online.add_foreign_key("wager_races", "board_feed_id", "feeds")
    online.change(*(function.create for function in wager_routines.FUNCTIONS if function.name == LINKS_ACCOUNTS))
    for trigger in wager_routines.TRIGGERS:
        if trigger.function == LINKS_ACCOUNTS:
            online.change(trigger.create, locks=[trigger.table])
    online.fill(
        "users",
        "r.uid <> '' AND NOT EXISTS (SELECT FROM wager_accounts a"
        " WHERE a.uid = r.uid AND (a.user_id = r.id OR r.is_shell))",
        ACCOUNTS,
    )
    online.fill(
        "wager_races",
        "r.is_legacy AND (r.created_by IS NOT NULL OR r.follows_id IS NOT NULL)",
        "UPDATE wager_races r SET is_legacy = false FROM batch WHERE r.id = batch.id RETURNING r.id",
    )
    # The legacy application counted these wagers, and the feed begins with the totals after them.
    online.fill(
        "wager_race_participants",
        "r.carried_over = 0 AND r.total_wager > 0 AND r.total_wager < 'NaN' AND EXISTS (SELECT FROM wager_races w"
        " WHERE w.id = r.race_id AND w.is_legacy AND w.settled_at IS NULL AND w.cancelled_at IS NULL"
        " AND w.start_date <= now() AT TIME ZONE 'UTC')",
        "UPDATE wager_race_participants r SET carried_over = r.total_wager FROM batch WHERE r.id = batch.id"
        " RETURNING r.id",
    )
    for name, definition in INDEXES:
        online.add_index(name, definition)
    for name in DROPPED:
        online.drop_index(name)

"""Monthly statements, the periods for which accounts are linked, and the order of the community's leaderboards.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.

- A leaderboard reads one index of `wager_accounts`. The members whom it leaves out, excluded or suspended ones, are at
  the end of that index, so that no page reads past them.
- For an account that is linked already, the period begins at the account's first reading.
"""

from migrations import online, wager_routines

revision = "statements"
down_revision = "tiers_of_members"

LINK_PERIODS = """
CREATE TABLE IF NOT EXISTS link_periods (
    id serial CONSTRAINT link_periods_pkey PRIMARY KEY,
    user_id integer NOT NULL CONSTRAINT link_periods_user_id_users_id_fk REFERENCES users (id) ON DELETE CASCADE,
    account_id integer
        CONSTRAINT link_periods_account_id_wager_accounts_id_fk REFERENCES wager_accounts (id) ON DELETE SET NULL,
    opening numeric(18, 8),
    closing numeric(18, 8),
    final numeric(18, 8)
)
"""
STATEMENTS = """
CREATE TABLE IF NOT EXISTS statements (
    id serial CONSTRAINT statements_pkey PRIMARY KEY,
    user_id integer NOT NULL CONSTRAINT statements_user_id_users_id_fk REFERENCES users (id) ON DELETE CASCADE,
    month timestamp NOT NULL,
    wagered numeric(18, 8) NOT NULL,
    spins integer NOT NULL,
    claims integer NOT NULL,
    rewards numeric(18, 2) NOT NULL,
    races jsonb NOT NULL,
    tier text,
    created_at timestamp NOT NULL,
    CONSTRAINT statements_user_id_month_unique UNIQUE (user_id, month)
)
"""
# Nobody writes to these tables yet, so an index needs no care.
INDEXES_OF_NEW_TABLES = (
    "INDEX IF NOT EXISTS link_periods_user_id_idx ON link_periods (user_id)",
    "INDEX IF NOT EXISTS link_periods_account_id_idx ON link_periods (account_id)",
    "UNIQUE INDEX IF NOT EXISTS link_periods_linked_key ON link_periods (account_id) WHERE final IS NULL",
)
FUNCTIONS = ("follow_link", "list_account")
FIGURES = ("total_wager", "wager_today", "wager_week", "wager_month")
IS_LISTED = "u.suspended_at IS NULL AND NOT u.excluded_permanently AND u.excluded_until IS NULL"


def upgrade() -> None:
    """Add tables, a column, triggers and indexes; open the periods of linked accounts, and list their members."""
    online.change(LINK_PERIODS, STATEMENTS, locks=["users", "wager_accounts"])
    online.change(*(f"CREATE {index}" for index in INDEXES_OF_NEW_TABLES))
    online.add_columns("wager_accounts", "is_listed boolean DEFAULT false NOT NULL")
    online.change(*(function.create for function in wager_routines.FUNCTIONS if function.name in FUNCTIONS))
    for trigger in wager_routines.TRIGGERS:
        if trigger.function in FUNCTIONS:
            online.change(trigger.create, locks=[trigger.table])
    online.fill(
        "wager_accounts",
        f"EXISTS (SELECT FROM users u WHERE u.id = r.user_id AND r.is_listed <> ({IS_LISTED}))",
        f"UPDATE wager_accounts r SET is_listed = {IS_LISTED} FROM batch, users u"
        " WHERE r.id = batch.id AND u.id = batch.user_id RETURNING r.id",
    )
    online.fill(
        "wager_accounts",
        "r.user_id IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM link_periods p WHERE p.account_id = r.id AND p.final IS NULL)",
        "INSERT INTO link_periods (user_id, account_id) SELECT user_id, id FROM batch ON CONFLICT DO NOTHING"
        " RETURNING id",
    )
    online.add_index("feeds_read_idx", "feeds (requested_at, key) WHERE uid_count > 0")
    for figure in FIGURES:
        online.add_index(
            f"wager_accounts_listed_{figure}_idx",
            f"wager_accounts (is_listed, {figure} DESC, user_id) WHERE user_id IS NOT NULL AND {figure} > 0",
        )
    for figure in FIGURES:
        online.drop_index(f"wager_accounts_{figure}_idx")

"""Unique keys that old rows may break, each on a nullable column of its own, and the indexes that our queries need.

They are unique while they are still empty; the next step fills them.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online

revision = "keys_for_adopted_rows"
down_revision = "platform_tables"

UNIQUE = (
    ("users", "username_key"),
    ("users", "email_key"),
    ("wheel_spins", "user_id", "spin_day"),
    ("wager_race_participants", "race_id", "member_key"),
    ("bonus_codes", "code_key"),
    ("newsletter_subscriptions", "email_key"),
    ("bonus_codes", "spin_id"),
    ("wager_races", "follows_id"),
)
INDEXES = (
    ("support_tickets", "user_id", "id"),
    ("ticket_messages", "ticket_id", "id"),
    ("wager_race_participants", "race_id", "rank", "id"),
    ("wager_races", "start_date", "id"),
)

# What a code is matched by.  A function, because the trigger and our statements must agree to the letter.
CODE_KEY = r"""
CREATE OR REPLACE FUNCTION code_key(code text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT upper(regexp_replace(code, '[\s\u00a0\u2010-\u2015\u2212-]', '', 'g'))
$$
"""


def upgrade() -> None:
    """Make room for the keys."""
    online.change(CODE_KEY)
    for table, *columns in UNIQUE:
        online.add_unique(table, *columns)
    for table, *columns in INDEXES:
        online.add_index(f"{table}_{'_'.join(columns)}_idx", f"{table} ({', '.join(columns)})")

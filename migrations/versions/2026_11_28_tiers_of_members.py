"""Each tier that a member has reached is a row. The tiers that a total has passed so far are recorded silently.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online, tier_routines

revision = "tiers_of_members"
down_revision = "preferences_and_inbox"

MEMBER_TIERS = """
CREATE TABLE IF NOT EXISTS member_tiers (
    id serial CONSTRAINT member_tiers_pkey PRIMARY KEY,
    user_id integer NOT NULL CONSTRAINT member_tiers_user_id_users_id_fk REFERENCES users (id) ON DELETE CASCADE,
    tier text NOT NULL,
    reached_at timestamp NOT NULL,
    reward numeric(18, 2) DEFAULT 0 NOT NULL,
    is_silent boolean NOT NULL,
    CONSTRAINT member_tiers_user_id_tier_unique UNIQUE (user_id, tier)
)
"""
# What wrote tiers before: a trigger for every total, and one for every version.
DROPPED = (
    "DROP TRIGGER IF EXISTS set_tier ON users",
    "DROP TRIGGER IF EXISTS set_tiers ON tier_versions",
    "DROP FUNCTION IF EXISTS set_tier, set_tiers",
)
TIERS = "jsonb_array_elements((SELECT tiers FROM tier_versions ORDER BY id DESC LIMIT 1)) rung"
LEAST = "(rung ->> 'min_wager')::numeric"
RECORD = f"""
    INSERT INTO member_tiers (user_id, tier, reached_at, is_silent)
    SELECT batch.id, rung ->> 'name', now() AT TIME ZONE 'UTC', true
    FROM batch JOIN {TIERS} ON {LEAST} <= batch.total_wager
    ON CONFLICT DO NOTHING RETURNING user_id
"""
SET_TIER = f"""
    UPDATE users r SET tier = highest.name
    FROM batch CROSS JOIN LATERAL (
        SELECT rung ->> 'name' AS name FROM {TIERS} WHERE {LEAST} <= batch.total_wager ORDER BY {LEAST} DESC LIMIT 1
    ) highest
    WHERE r.id = batch.id AND r.tier IS DISTINCT FROM highest.name RETURNING r.id
"""


def upgrade() -> None:
    """Add the table, record a new member's tiers by triggers, and those of old rows; the version before goes on."""
    online.change(MEMBER_TIERS, locks=["users"])
    online.change(*DROPPED, locks=["users"])
    online.change(*(function.create for function in tier_routines.FUNCTIONS))
    for trigger in tier_routines.TRIGGERS:
        online.change(trigger.create, locks=[trigger.table])
    online.fill(
        "users",
        "NOT r.is_shell AND r.erased_at IS NULL AND r.total_wager < 'NaN'"
        f" AND EXISTS (SELECT FROM {TIERS} WHERE {LEAST} <= r.total_wager)"
        " AND NOT EXISTS (SELECT FROM member_tiers m WHERE m.user_id = r.id)",
        RECORD,
        SET_TIER,
    )

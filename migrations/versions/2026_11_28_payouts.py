"""Payouts of rewards; grants by staff; the ledger gets the row of a win only when its code is claimed.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online

revision = "payouts"
down_revision = "figures"

REWARD_GRANTS = """
CREATE TABLE IF NOT EXISTS reward_grants (
    id serial CONSTRAINT reward_grants_pkey PRIMARY KEY,
    user_id integer NOT NULL CONSTRAINT reward_grants_user_id_users_id_fk REFERENCES users (id),
    amount numeric(18, 2) NOT NULL,
    created_at timestamp NOT NULL,
    created_by integer NOT NULL CONSTRAINT reward_grants_created_by_users_id_fk REFERENCES users (id)
)
"""
PAYOUTS = """
CREATE TABLE IF NOT EXISTS payouts (
    id serial CONSTRAINT payouts_pkey PRIMARY KEY,
    batch_id integer NOT NULL,
    user_id integer NOT NULL CONSTRAINT payouts_user_id_users_id_fk REFERENCES users (id),
    uid text,
    amount numeric(18, 2) NOT NULL,
    reference text,
    created_at timestamp NOT NULL,
    created_by integer NOT NULL CONSTRAINT payouts_created_by_users_id_fk REFERENCES users (id)
)
"""
PAYOUT_ITEMS = """
CREATE TABLE IF NOT EXISTS payout_items (
    reward_id integer CONSTRAINT payout_items_pkey PRIMARY KEY
        CONSTRAINT payout_items_reward_id_rewards_id_fk REFERENCES rewards (id),
    payout_id integer NOT NULL
        CONSTRAINT payout_items_payout_id_payouts_id_fk REFERENCES payouts (id) ON DELETE CASCADE
)
"""
# Nobody writes to these tables yet, so an index needs no care.
INDEXES = (
    "reward_grants_user_id_id_idx ON reward_grants (user_id, id)",
    "reward_grants_created_by_idx ON reward_grants (created_by)",
    "payouts_user_id_id_idx ON payouts (user_id, id)",
    "payouts_batch_id_id_idx ON payouts (batch_id, id)",
    "payouts_created_by_idx ON payouts (created_by)",
    "payouts_unpaid_idx ON payouts (id) WHERE reference IS NULL",
    "payout_items_payout_id_idx ON payout_items (payout_id)",
)


def upgrade() -> None:
    """Add the tables, take the rows of wins that nobody has claimed out of the ledger, and drop what nothing writes."""
    online.change(REWARD_GRANTS, PAYOUTS, locks=["users"])
    online.change(PAYOUT_ITEMS, locks=["rewards"])
    online.change(*(f"CREATE INDEX IF NOT EXISTS {index}" for index in INDEXES))
    online.fill(
        "rewards",
        "r.source_type = 'spin' AND EXISTS (SELECT FROM bonus_codes c WHERE c.spin_id = r.source_id AND c.claims = 0)",
        "DELETE FROM rewards r USING batch WHERE r.id = batch.id RETURNING r.id",
    )
    online.drop_index("rewards_unfulfilled_idx")
    online.change("ALTER TABLE rewards DROP COLUMN IF EXISTS fulfilled_at", locks=["rewards"])
    online.add_index(
        "bonus_codes_expires_at_idx",
        "bonus_codes (expires_at) WHERE value IS NOT NULL AND revoked_at IS NULL",
    )

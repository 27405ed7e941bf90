"""The platform's own tables, and its columns on the guide's.

Everything added is nullable or has a default, so the legacy application goes on reading and writing as before.  Keys
that its rows may break come in the next steps.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import online

revision = "platform_tables"
down_revision = "guide_tables"

FIRST_WHEEL = [
    {"label": "$100", "weight": 1, "value": "100.00"},
    {"label": "$50", "weight": 2, "value": "50.00"},
    {"label": "$25", "weight": 5, "value": "25.00"},
    {"label": "$2", "weight": 25, "value": "2.00"},
    {"label": "$1", "weight": 500, "value": "1.00"},
    {"label": "$0.10", "weight": 1000, "value": "0.10"},
    {"label": "No win", "weight": 3467, "value": "0.00"},
]

ATTEMPTS = """
CREATE TABLE IF NOT EXISTS attempts (
    id bigserial CONSTRAINT attempts_pkey PRIMARY KEY,
    kind text NOT NULL,
    subject text NOT NULL,
    address text NOT NULL,
    attempted_at timestamp NOT NULL
)
"""

WHEEL_VERSIONS = """
CREATE TABLE IF NOT EXISTS wheel_versions (
    id serial CONSTRAINT wheel_versions_pkey PRIMARY KEY,
    segments jsonb NOT NULL,
    created_at timestamp DEFAULT now() NOT NULL
)
"""

AUDIT_LOG = """
CREATE TABLE IF NOT EXISTS audit_log (
    id bigserial CONSTRAINT audit_log_pkey PRIMARY KEY,
    staff_id integer NOT NULL CONSTRAINT audit_log_staff_id_users_id_fk REFERENCES users (id),
    action text NOT NULL,
    subject_id integer NOT NULL,
    before jsonb,
    after jsonb,
    request_id text NOT NULL,
    created_at timestamp NOT NULL
)
"""

IDEMPOTENCY_RECORDS = """
CREATE TABLE IF NOT EXISTS idempotency_records (
    id bigserial CONSTRAINT idempotency_records_pkey PRIMARY KEY,
    user_id integer NOT NULL CONSTRAINT idempotency_records_user_id_users_id_fk REFERENCES users (id),
    request_hash bytea NOT NULL,
    key text NOT NULL,
    body_hash bytea NOT NULL,
    created_at timestamp NOT NULL,
    status smallint,
    answer text,
    CONSTRAINT idempotency_records_user_id_request_hash_key_unique UNIQUE (user_id, request_hash, key)
)
"""

MAILED_TOKENS = """
CREATE TABLE IF NOT EXISTS mailed_tokens (
    id serial CONSTRAINT mailed_tokens_pkey PRIMARY KEY,
    purpose text NOT NULL,
    token_hash bytea NOT NULL CONSTRAINT mailed_tokens_token_hash_unique UNIQUE,
    address text NOT NULL,
    user_id integer CONSTRAINT mailed_tokens_user_id_users_id_fk REFERENCES users (id),
    created_at timestamp NOT NULL,
    expires_at timestamp NOT NULL,
    used_at timestamp
)
"""

OUTBOX = """
CREATE TABLE IF NOT EXISTS outbox (
    id bigserial CONSTRAINT outbox_pkey PRIMARY KEY,
    kind text NOT NULL,
    user_id integer CONSTRAINT outbox_user_id_users_id_fk REFERENCES users (id),
    address text,
    payload jsonb DEFAULT '{}' NOT NULL,
    created_at timestamp NOT NULL,
    due_at timestamp NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    leased_until timestamp,
    sent_at timestamp,
    failed_at timestamp,
    last_error text
)
"""

REWARDS = """
CREATE TABLE IF NOT EXISTS rewards (
    id serial CONSTRAINT rewards_pkey PRIMARY KEY,
    user_id integer NOT NULL CONSTRAINT rewards_user_id_users_id_fk REFERENCES users (id),
    source_type text NOT NULL,
    source_id integer NOT NULL,
    amount numeric(18, 2) NOT NULL,
    currency text DEFAULT 'USD' NOT NULL,
    created_at timestamp NOT NULL,
    CONSTRAINT rewards_source_type_source_id_user_id_unique UNIQUE (source_type, source_id, user_id)
)
"""

SESSIONS = """
CREATE TABLE IF NOT EXISTS sessions (
    id serial CONSTRAINT sessions_pkey PRIMARY KEY,
    user_id integer NOT NULL CONSTRAINT sessions_user_id_users_id_fk REFERENCES users (id),
    token_hash bytea NOT NULL CONSTRAINT sessions_token_hash_unique UNIQUE,
    created_at timestamp NOT NULL,
    expires_at timestamp NOT NULL,
    ended_at timestamp
)
"""

WHEEL_SEEDS = """
CREATE TABLE IF NOT EXISTS wheel_seeds (
    id serial CONSTRAINT wheel_seeds_pkey PRIMARY KEY,
    user_id integer NOT NULL CONSTRAINT wheel_seeds_user_id_users_id_fk REFERENCES users (id),
    server_seed bytea NOT NULL,
    client_seed text NOT NULL,
    nonce integer DEFAULT 0 NOT NULL,
    created_at timestamp NOT NULL,
    activated_at timestamp,
    revealed_at timestamp
)
"""

CODE_CLAIMS = """
CREATE TABLE IF NOT EXISTS code_claims (
    id serial CONSTRAINT code_claims_pkey PRIMARY KEY,
    code_id integer NOT NULL CONSTRAINT code_claims_code_id_bonus_codes_id_fk REFERENCES bonus_codes (id),
    user_id integer NOT NULL CONSTRAINT code_claims_user_id_users_id_fk REFERENCES users (id),
    claimed_at timestamp NOT NULL,
    CONSTRAINT code_claims_code_id_user_id_unique UNIQUE (code_id, user_id)
)
"""

# Nobody writes to them yet, so an index needs no care.
INDEXES = (
    "INDEX IF NOT EXISTS attempts_kind_address_attempted_at_idx ON attempts (kind, address, attempted_at)",
    "INDEX IF NOT EXISTS attempts_kind_subject_attempted_at_idx ON attempts (kind, subject, attempted_at)",
    "INDEX IF NOT EXISTS idempotency_records_created_at_idx ON idempotency_records (created_at)",
    "INDEX IF NOT EXISTS mailed_tokens_user_id_idx ON mailed_tokens (user_id)",
    "INDEX IF NOT EXISTS outbox_due_at_idx ON outbox (due_at, id) WHERE sent_at IS NULL AND failed_at IS NULL",
    "INDEX IF NOT EXISTS rewards_user_id_id_idx ON rewards (user_id, id)",
    "INDEX IF NOT EXISTS sessions_user_id_idx ON sessions (user_id)",
    """UNIQUE INDEX IF NOT EXISTS wheel_seeds_active_key ON wheel_seeds (user_id)
    WHERE activated_at IS NOT NULL AND revealed_at IS NULL""",
    "UNIQUE INDEX IF NOT EXISTS wheel_seeds_upcoming_key ON wheel_seeds (user_id) WHERE activated_at IS NULL",
    "INDEX IF NOT EXISTS code_claims_user_id_id_idx ON code_claims (user_id, id)",
)


def upgrade() -> None:
    """Only add, so that the running version works before, during and after."""
    online.change(ATTEMPTS, WHEEL_VERSIONS)
    for table in (AUDIT_LOG, IDEMPOTENCY_RECORDS, MAILED_TOKENS, OUTBOX, REWARDS, SESSIONS, WHEEL_SEEDS):
        online.change(table, locks=["users"])
    online.change(CODE_CLAIMS, locks=["bonus_codes", "users"])
    online.change(*(f"CREATE {index}" for index in INDEXES))

    online.add_columns(
        "bonus_codes",
        "code_key text",
        "value numeric(18, 2)",
        "currency text DEFAULT 'USD' NOT NULL",
        "starts_at timestamp",
        "max_claims integer DEFAULT 1",
        "claims integer DEFAULT 0 NOT NULL",
        "revoked_at timestamp",
        "spin_id integer",
    )
    online.add_columns(
        "newsletter_subscriptions",
        "email_key text",
        "confirmation_sent_at timestamp",
        "confirmed_at timestamp",
        "consent_address text",
    )
    online.add_columns("ticket_messages", "is_internal boolean DEFAULT false NOT NULL")
    online.add_columns(
        "users",
        "username_key text",
        "email_key text",
        "suspended_at timestamp",
        "excluded_until timestamp",
        "excluded_permanently boolean DEFAULT false NOT NULL",
        "hide_name boolean DEFAULT false NOT NULL",
    )
    online.add_columns("wager_race_participants", "member_key integer")
    online.add_columns(
        "wager_races",
        "settled_at timestamp",
        "cancelled_at timestamp",
        "created_by integer",
        "time_zone text",
        "follows_id integer",
    )
    online.add_columns(
        "wheel_spins",
        "spin_day date",
        "version_id integer",
        "seed_id integer",
        "nonce integer",
        "client_seed text",
    )
    for table, column, referent in (
        ("wheel_spins", "version_id", "wheel_versions"),
        ("wheel_spins", "seed_id", "wheel_seeds"),
        ("bonus_codes", "spin_id", "wheel_spins"),
        ("wager_races", "created_by", "users"),
        ("wager_races", "follows_id", "wager_races"),
    ):
        online.add_foreign_key(table, column, referent)

    versions = sa.table("wheel_versions", sa.column("segments", JSONB))
    first = sa.select(sa.literal(FIRST_WHEEL, JSONB)).where(~sa.exists().select_from(versions))
    op.execute(versions.insert().from_select(["segments"], first))
    online.fill(
        "wager_races",
        "r.settled_at IS NULL AND r.end_date <= now() AT TIME ZONE 'UTC'",
        "UPDATE wager_races r SET settled_at = r.end_date FROM batch WHERE r.id = batch.id RETURNING r.id",
    )
    online.fill(
        "bonus_codes",
        "r.is_used AND r.claims = 0",
        "UPDATE bonus_codes r SET claims = 1 FROM batch WHERE r.id = batch.id RETURNING r.id",
        "INSERT INTO code_claims (code_id, user_id, claimed_at) SELECT id, user_id, claimed_at FROM batch"
        " WHERE user_id IS NOT NULL ON CONFLICT DO NOTHING RETURNING id",
    )

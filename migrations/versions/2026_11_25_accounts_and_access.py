"""Links to casino accounts, what outlives an erasure, the feed's accounts and tiers, indexes that staff look by.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from migrations import online

revision = "accounts_and_access"
down_revision = "oldest_rows_hold_the_keys"

FIRST_TIERS = [
    {"name": name, "min_wager": f"{least}.00", "reward": None}
    for name, least in (
        ("Copper", 0),
        ("Bronze", 10_000),
        ("Silver", 40_000),
        ("Gold", 100_000),
        ("Platinum", 450_000),
        ("Pearl", 1_500_000),
        ("Sapphire", 3_000_000),
        ("Emerald", 7_000_000),
        ("Diamond", 20_000_000),
    )
]

# Keyed, so that who gets at the table cannot try addresses against it; and with its owner's rights, so that who calls
# it cannot read the key.  Hashed twice, as HMAC does it: nothing can be appended to the value.
IDENTITY_HASH = """
CREATE OR REPLACE FUNCTION identity_hash(kind text, value text) RETURNS bytea
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT sha256(key || sha256(key || convert_to(kind || ':' || value, 'UTF8'))) FROM identity_key
$$
"""

# Functions cannot change the audit log; this, with its owner's rights, takes a member out of it whose row says that
# they are erased.  Of entries about them no text stays, and of all others an address that was proved goes.
REDACT_AUDIT_LOG = r"""
CREATE OR REPLACE FUNCTION redact_audit_log(member integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    erased users;
    address text;
BEGIN
    SELECT * INTO erased FROM users WHERE id = member AND erased_at IS NOT NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'member % is not erased', member;
    END IF;
    UPDATE audit_log SET before = without_texts(before), after = without_texts(after) WHERE
        (action = 'update_member' AND subject_id = member)
        OR (action = 'decide_link' AND subject_id IN (SELECT id FROM account_links WHERE user_id = member))
        OR (action IN ('issue_code', 'revoke_code')
            AND subject_id IN (SELECT id FROM bonus_codes WHERE user_id = member));
    IF erased.email_verified AND erased.email ~ '^[^@\s"\\]+@[^@\s"\\]+\.[^@\s"\\]+$' THEN
        -- Where it stands for itself, and is not a part of another one.
        address := '(?<![\w.%+-])' || regexp_replace(erased.email, '(\W)', '\\\1', 'g') || '(?![\w-]|\.\w)';
        UPDATE audit_log SET
            before = regexp_replace(before::text, address, '(erased)', 'gi')::jsonb,
            after = regexp_replace(after::text, address, '(erased)', 'gi')::jsonb
        WHERE (before::text LIKE '%@%' AND before::text ~* address)
            OR (after::text LIKE '%@%' AND after::text ~* address);
    END IF;
END $$;
CREATE OR REPLACE FUNCTION without_texts(noted jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE jsonb_typeof(noted) WHEN 'object' THEN (
        SELECT jsonb_object_agg(key, CASE WHEN jsonb_typeof(value) IN ('boolean', 'number', 'null') THEN value
            ELSE '"(erased)"' END)
        FROM jsonb_each(noted)
    ) END
$$
"""

ACCOUNT_LINKS = """
CREATE TABLE IF NOT EXISTS account_links (
    id serial CONSTRAINT account_links_pkey PRIMARY KEY,
    user_id integer NOT NULL CONSTRAINT account_links_user_id_users_id_fk REFERENCES users (id),
    uid text NOT NULL,
    requested_at timestamp NOT NULL,
    decision text,
    reason text,
    decided_at timestamp,
    decided_by integer CONSTRAINT account_links_decided_by_users_id_fk REFERENCES users (id)
)
"""

ERASED_IDENTITIES = """
CREATE TABLE IF NOT EXISTS erased_identities (
    id serial CONSTRAINT erased_identities_pkey PRIMARY KEY,
    identity bytea NOT NULL CONSTRAINT erased_identities_identity_unique UNIQUE,
    erased_at timestamp NOT NULL,
    excluded_until timestamp,
    excluded_permanently boolean DEFAULT false NOT NULL
)
"""

IDENTITY_KEY = """
CREATE TABLE IF NOT EXISTS identity_key (
    id boolean CONSTRAINT identity_key_pkey PRIMARY KEY CONSTRAINT identity_key_one_row CHECK (id),
    key bytea NOT NULL
)
"""

TIER_VERSIONS = """
CREATE TABLE IF NOT EXISTS tier_versions (
    id serial CONSTRAINT tier_versions_pkey PRIMARY KEY,
    tiers jsonb NOT NULL,
    created_at timestamp DEFAULT now() NOT NULL
)
"""

WAGER_ACCOUNTS = """
CREATE TABLE IF NOT EXISTS wager_accounts (
    id serial CONSTRAINT wager_accounts_pkey PRIMARY KEY,
    uid text NOT NULL CONSTRAINT wager_accounts_uid_unique UNIQUE,
    name text,
    total_wager numeric(18, 8) NOT NULL,
    wager_today numeric(18, 8) NOT NULL,
    wager_week numeric(18, 8) NOT NULL,
    wager_month numeric(18, 8) NOT NULL,
    read_at timestamp NOT NULL
)
"""

INDEXES = (
    ("account_links_decided_by_idx", "account_links (decided_by)"),
    ("account_links_user_id_id_idx", "account_links (user_id, id)"),
    ("wager_accounts_read_at_idx", "wager_accounts (read_at)"),
    ("users_created_at_idx", "users (created_at)"),
    ("users_staff_idx", "users (id) WHERE is_admin"),
    ("users_suspended_idx", "users (id) WHERE suspended_at IS NOT NULL"),
    ("users_excluded_idx", "users (id) WHERE excluded_until IS NOT NULL OR excluded_permanently"),
    ("users_active_idx", "users (last_active) WHERE is_active"),
    ("users_wager_today_idx", "users (wager_today) WHERE wager_today > 0"),
    ("users_wager_week_idx", "users (wager_week) WHERE wager_week > 0"),
    ("users_wager_month_idx", "users (wager_month) WHERE wager_month > 0"),
    ("bonus_codes_user_id_id_idx", "bonus_codes (user_id, id)"),
    ("rewards_unfulfilled_idx", "rewards (id) WHERE fulfilled_at IS NULL"),
    ("wager_race_participants_user_id_id_idx", "wager_race_participants (user_id, id)"),
    ("support_tickets_waiting_idx", "support_tickets (priority, created_at) WHERE status <> 'closed'"),
    ("ticket_messages_user_id_id_idx", "ticket_messages (user_id, id)"),
    ("outbox_user_id_idx", "outbox (user_id)"),
    ("outbox_failed_at_idx", "outbox (failed_at) WHERE failed_at IS NOT NULL"),
    ("audit_log_subject_id_id_idx", "audit_log (subject_id, id)"),
    ("audit_log_staff_id_idx", "audit_log (staff_id)"),
)


def upgrade() -> None:
    """Only add, so that the running version works before, during and after."""
    online.change(ACCOUNT_LINKS, locks=["users"])
    online.change(ERASED_IDENTITIES, IDENTITY_KEY, TIER_VERSIONS, WAGER_ACCOUNTS)
    online.change(IDENTITY_HASH, REDACT_AUDIT_LOG)
    online.add_columns("users", "suspended_reason text", "credentials_changed_at timestamp", "erased_at timestamp")
    online.add_columns("rewards", "fulfilled_at timestamp")
    online.add_index("account_links_pending_key", "account_links (user_id) WHERE decision IS NULL", unique=True)
    for name, definition in INDEXES:
        online.add_index(name, definition)

    keys = sa.table("identity_key", sa.column("id"), sa.column("key"))
    op.execute(upsert(keys).values(id=True, key=secrets.token_bytes(32)).on_conflict_do_nothing())
    versions = sa.table("tier_versions", sa.column("tiers", JSONB))
    first = sa.select(sa.literal(FIRST_TIERS, JSONB)).where(~sa.exists().select_from(versions))
    op.execute(versions.insert().from_select(["tiers"], first))

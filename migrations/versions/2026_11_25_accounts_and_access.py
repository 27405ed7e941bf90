"""Links to casino accounts, what outlives an erasure, the feed's accounts and tiers, indexes that staff look by.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "accounts_and_access"
down_revision = "keys_for_adopted_rows"

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

INDEXES = (
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
    op.create_table(
        "account_links",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(), nullable=False),
        sa.Column("decision", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("decided_at", sa.DateTime()),
        sa.Column("decided_by", sa.Integer()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="account_links_user_id_users_id_fk"),
        sa.ForeignKeyConstraint(["decided_by"], ["users.id"], name="account_links_decided_by_users_id_fk"),
        sa.PrimaryKeyConstraint("id", name="account_links_pkey"),
    )
    op.create_index("account_links_decided_by_idx", "account_links", ["decided_by"])
    op.create_index("account_links_user_id_id_idx", "account_links", ["user_id", "id"])
    op.create_index(
        "account_links_pending_key",
        "account_links",
        ["user_id"],
        unique=True,
        postgresql_where=sa.text("decision IS NULL"),
    )
    op.create_table(
        "erased_identities",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("erased_at", sa.DateTime(), nullable=False),
        sa.Column("excluded_until", sa.DateTime()),
        sa.Column("excluded_permanently", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="erased_identities_pkey"),
        sa.UniqueConstraint("identity", name="erased_identities_identity_unique"),
    )
    op.create_table(
        "identity_key",
        sa.Column("id", sa.Boolean(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="identity_key_pkey"),
        sa.CheckConstraint("id", name="identity_key_one_row"),
    )
    op.execute(
        sa.table("identity_key", sa.column("id"), sa.column("key"))
        .insert()
        .values(id=True, key=secrets.token_bytes(32))
    )
    op.execute(IDENTITY_HASH)
    op.create_table(
        "tier_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tiers", JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="tier_versions_pkey"),
    )
    op.execute(sa.table("tier_versions", sa.column("tiers", JSONB)).insert().values(tiers=FIRST_TIERS))
    op.create_table(
        "wager_accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("total_wager", sa.Numeric(precision=18, scale=8), nullable=False),
        sa.Column("wager_today", sa.Numeric(precision=18, scale=8), nullable=False),
        sa.Column("wager_week", sa.Numeric(precision=18, scale=8), nullable=False),
        sa.Column("wager_month", sa.Numeric(precision=18, scale=8), nullable=False),
        sa.Column("read_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="wager_accounts_pkey"),
        sa.UniqueConstraint("uid", name="wager_accounts_uid_unique"),
    )
    op.create_index("wager_accounts_read_at_idx", "wager_accounts", ["read_at"])
    op.add_column("users", sa.Column("suspended_reason", sa.Text()))
    op.add_column("users", sa.Column("erased_at", sa.DateTime()))
    op.add_column("rewards", sa.Column("fulfilled_at", sa.DateTime()))
    for name, definition in INDEXES:
        with op.get_context().autocommit_block():
            op.execute(sa.text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {definition}")

"""The platform's own tables, and its columns on the guide's.

Everything added is nullable or has a default, so the guide's application goes on reading and writing as before.  Keys
that its rows may break come in the next step.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

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


def upgrade() -> None:
    """Only add, so that the running version works before, during and after."""
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("attempted_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="attempts_pkey"),
    )
    op.create_index("attempts_kind_address_attempted_at_idx", "attempts", ["kind", "address", "attempted_at"])
    op.create_index("attempts_kind_subject_attempted_at_idx", "attempts", ["kind", "subject", "attempted_at"])
    op.create_table(
        "wheel_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("segments", JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="wheel_versions_pkey"),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("before", JSONB()),
        sa.Column("after", JSONB()),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["users.id"], name="audit_log_staff_id_users_id_fk"),
        sa.PrimaryKeyConstraint("id", name="audit_log_pkey"),
    )
    op.create_table(
        "idempotency_records",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("status", sa.SmallInteger()),
        sa.Column("answer", sa.Text()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="idempotency_records_user_id_users_id_fk"),
        sa.PrimaryKeyConstraint("id", name="idempotency_records_pkey"),
        sa.UniqueConstraint(
            "user_id", "request_hash", "key", name="idempotency_records_user_id_request_hash_key_unique"
        ),
    )
    op.create_index("idempotency_records_created_at_idx", "idempotency_records", ["created_at"])
    op.create_table(
        "mailed_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer()),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("used_at", sa.DateTime()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="mailed_tokens_user_id_users_id_fk"),
        sa.PrimaryKeyConstraint("id", name="mailed_tokens_pkey"),
        sa.UniqueConstraint("token_hash", name="mailed_tokens_token_hash_unique"),
    )
    op.create_index("mailed_tokens_user_id_idx", "mailed_tokens", ["user_id"])
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer()),
        sa.Column("address", sa.Text()),
        sa.Column("payload", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("due_at", sa.DateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("leased_until", sa.DateTime()),
        sa.Column("sent_at", sa.DateTime()),
        sa.Column("failed_at", sa.DateTime()),
        sa.Column("last_error", sa.Text()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="outbox_user_id_users_id_fk"),
        sa.PrimaryKeyConstraint("id", name="outbox_pkey"),
    )
    op.create_index(
        "outbox_due_at_idx",
        "outbox",
        ["due_at", "id"],
        postgresql_where=sa.text("sent_at IS NULL AND failed_at IS NULL"),
    )
    op.create_table(
        "rewards",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("source_type", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), server_default="USD", nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="rewards_user_id_users_id_fk"),
        sa.PrimaryKeyConstraint("id", name="rewards_pkey"),
        sa.UniqueConstraint("source_type", "source_id", "user_id", name="rewards_source_type_source_id_user_id_unique"),
    )
    op.create_index("rewards_user_id_id_idx", "rewards", ["user_id", "id"])
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="sessions_user_id_users_id_fk"),
        sa.PrimaryKeyConstraint("id", name="sessions_pkey"),
        sa.UniqueConstraint("token_hash", name="sessions_token_hash_unique"),
    )
    op.create_index("sessions_user_id_idx", "sessions", ["user_id"])
    op.create_table(
        "wheel_seeds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("server_seed", sa.LargeBinary(), nullable=False),
        sa.Column("client_seed", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("activated_at", sa.DateTime()),
        sa.Column("revealed_at", sa.DateTime()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="wheel_seeds_user_id_users_id_fk"),
        sa.PrimaryKeyConstraint("id", name="wheel_seeds_pkey"),
    )
    op.create_index(
        "wheel_seeds_active_key",
        "wheel_seeds",
        ["user_id"],
        unique=True,
        postgresql_where=sa.text("activated_at IS NOT NULL AND revealed_at IS NULL"),
    )
    op.create_index(
        "wheel_seeds_upcoming_key",
        "wheel_seeds",
        ["user_id"],
        unique=True,
        postgresql_where=sa.text("activated_at IS NULL"),
    )
    op.create_table(
        "code_claims",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["code_id"], ["bonus_codes.id"], name="code_claims_code_id_bonus_codes_id_fk"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="code_claims_user_id_users_id_fk"),
        sa.PrimaryKeyConstraint("id", name="code_claims_pkey"),
        sa.UniqueConstraint("code_id", "user_id", name="code_claims_code_id_user_id_unique"),
    )
    op.create_index("code_claims_user_id_id_idx", "code_claims", ["user_id", "id"])
    op.add_column("bonus_codes", sa.Column("code_key", sa.Text()))
    op.add_column("bonus_codes", sa.Column("value", sa.Numeric(precision=18, scale=2)))
    op.add_column("bonus_codes", sa.Column("currency", sa.Text(), server_default="USD", nullable=False))
    op.add_column("bonus_codes", sa.Column("starts_at", sa.DateTime()))
    op.add_column("bonus_codes", sa.Column("max_claims", sa.Integer(), server_default=sa.text("1")))
    op.add_column("bonus_codes", sa.Column("claims", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("bonus_codes", sa.Column("revoked_at", sa.DateTime()))
    op.add_column("bonus_codes", sa.Column("spin_id", sa.Integer()))
    op.add_column("newsletter_subscriptions", sa.Column("email_key", sa.Text()))
    op.add_column("newsletter_subscriptions", sa.Column("confirmation_sent_at", sa.DateTime()))
    op.add_column("newsletter_subscriptions", sa.Column("confirmed_at", sa.DateTime()))
    op.add_column("newsletter_subscriptions", sa.Column("consent_address", sa.Text()))
    op.add_column(
        "ticket_messages", sa.Column("is_internal", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("users", sa.Column("username_key", sa.Text()))
    op.add_column("users", sa.Column("email_key", sa.Text()))
    op.add_column("users", sa.Column("suspended_at", sa.DateTime()))
    op.add_column("users", sa.Column("excluded_until", sa.DateTime()))
    op.add_column(
        "users", sa.Column("excluded_permanently", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("users", sa.Column("hide_name", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("wager_race_participants", sa.Column("member_key", sa.Integer()))
    op.add_column("wager_races", sa.Column("settled_at", sa.DateTime()))
    op.add_column("wager_races", sa.Column("cancelled_at", sa.DateTime()))
    op.add_column("wager_races", sa.Column("created_by", sa.Integer()))
    op.add_column("wager_races", sa.Column("time_zone", sa.Text()))
    op.add_column("wager_races", sa.Column("follows_id", sa.Integer()))
    op.add_column("wheel_spins", sa.Column("spin_day", sa.Date()))
    op.add_column("wheel_spins", sa.Column("version_id", sa.Integer()))
    op.add_column("wheel_spins", sa.Column("seed_id", sa.Integer()))
    op.add_column("wheel_spins", sa.Column("nonce", sa.Integer()))
    op.add_column("wheel_spins", sa.Column("client_seed", sa.Text()))

    for table, column, referent in (
        ("wheel_spins", "version_id", "wheel_versions"),
        ("wheel_spins", "seed_id", "wheel_seeds"),
        ("bonus_codes", "spin_id", "wheel_spins"),
        ("wager_races", "created_by", "users"),
        ("wager_races", "follows_id", "wager_races"),
    ):
        add_foreign_key(table, column, referent)
    op.execute(sa.table("wheel_versions", sa.column("segments", JSONB)).insert().values(segments=FIRST_WHEEL))
    op.execute("UPDATE wager_races SET settled_at = end_date WHERE end_date <= now()")
    op.execute("UPDATE bonus_codes SET claims = 1 WHERE is_used")
    op.execute(
        "INSERT INTO code_claims (code_id, user_id, claimed_at) "
        "SELECT id, user_id, claimed_at FROM bonus_codes WHERE is_used AND user_id IS NOT NULL"
    )


def add_foreign_key(table: str, column: str, referent: str) -> None:
    """Bind new rows at once and look over the old ones afterwards, under a lock that lets others write."""
    name = f"{table}_{column}_{referent}_id_fk"
    op.create_foreign_key(name, table, referent, [column], ["id"], postgresql_not_valid=True)
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")

"""The legacy application deletes rows as it always did: what hangs on them and is ours goes along, or lets go of them.

Only the ledger of rewards and the audit log prevent the deletion of their members.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations.online import add_index, replace_foreign_key

revision = "deletes_of_the_old_application"
down_revision = "accounts_and_access"

# table, column, what it refers to, what becomes of the row
KEYS = (
    ("sessions", "user_id", "users", "CASCADE"),
    ("mailed_tokens", "user_id", "users", "CASCADE"),
    ("account_links", "user_id", "users", "CASCADE"),
    ("account_links", "decided_by", "users", "SET NULL"),
    ("wheel_seeds", "user_id", "users", "CASCADE"),
    ("code_claims", "user_id", "users", "CASCADE"),
    ("code_claims", "code_id", "bonus_codes", "CASCADE"),
    ("idempotency_records", "user_id", "users", "CASCADE"),
    ("outbox", "user_id", "users", "CASCADE"),
    ("bonus_codes", "spin_id", "wheel_spins", "SET NULL"),
    ("wager_races", "created_by", "users", "SET NULL"),
    ("wager_races", "follows_id", "wager_races", "SET NULL"),
)


def upgrade() -> None:
    """Only loosen, so that the running version works before, during and after."""
    add_index("wheel_seeds_user_id_idx", "wheel_seeds (user_id)")
    for table, column, referent, on_delete in KEYS:
        replace_foreign_key(table, column, referent, on_delete)

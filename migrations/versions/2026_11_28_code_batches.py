"""Codes that are generated together belong to a batch, by which staff list and revoke them.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online

revision = "code_batches"
down_revision = "client_seeds_and_versions"

CODE_BATCHES = """
CREATE TABLE IF NOT EXISTS code_batches (
    id serial CONSTRAINT code_batches_pkey PRIMARY KEY,
    size integer NOT NULL,
    user_id integer CONSTRAINT code_batches_user_id_users_id_fk REFERENCES users (id) ON DELETE SET NULL,
    created_at timestamp NOT NULL
)
"""


def upgrade() -> None:
    """Add the table, its index, and the column of a code with its index; no row is written."""
    online.change(
        CODE_BATCHES,
        "CREATE INDEX IF NOT EXISTS code_batches_user_id_idx ON code_batches (user_id) WHERE user_id IS NOT NULL",
        locks=["users"],
    )
    online.add_columns("bonus_codes", "batch_id integer")
    online.add_foreign_key("bonus_codes", "batch_id", "code_batches")
    online.add_index("bonus_codes_batch_id_id_idx", "bonus_codes (batch_id, id) WHERE batch_id IS NOT NULL")

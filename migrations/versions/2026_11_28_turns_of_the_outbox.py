"""The outbox is sent in the order of priorities and at one rate; dropped mail stays with its reason.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online

revision = "turns_of_the_outbox"
down_revision = "invisible_characters_in_codes"

# One row, which all runs of the sender share.
SENDER_STATE = """
CREATE TABLE IF NOT EXISTS sender_state (
    id smallint CONSTRAINT sender_state_pkey PRIMARY KEY CONSTRAINT sender_state_one_row CHECK (id = 1),
    second timestamp,
    taken integer NOT NULL DEFAULT 0,
    staff_mailed_at timestamp
)
"""
CRITICAL = "('verification', 'password_reset', 'email_change', 'email_changed')"


def upgrade() -> None:
    """Add columns, the index in the new order and the sender's row; the version before goes on working."""
    online.change(
        SENDER_STATE,
        "INSERT INTO sender_state (id) VALUES (1) ON CONFLICT DO NOTHING",
    )
    online.add_columns("outbox", "priority smallint NOT NULL DEFAULT 1", "dropped_at timestamp", "dropped_reason text")
    online.add_columns(
        "newsletter_subscriptions", "second_last_confirmation_at timestamp", "third_last_confirmation_at timestamp"
    )
    waiting = "sent_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL"
    online.add_index("outbox_turn_idx", f"outbox (priority, due_at, id) WHERE {waiting}")
    is_critical = f"r.kind IN {CRITICAL} AND r.priority <> 0 AND r.sent_at IS NULL AND r.failed_at IS NULL"
    online.fill(
        "outbox", is_critical, "UPDATE outbox r SET priority = 0 FROM batch WHERE r.id = batch.id RETURNING r.id"
    )
    online.drop_index("outbox_due_at_idx")

"""An index finds the newsletter subscriptions that wait for a confirmation, for the purge of old ones.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online

revision = "pending_subscriptions"
down_revision = "shells"


def upgrade() -> None:
    """Add the index; no row and no column changes."""
    is_pending = "NOT is_subscribed AND confirmed_at IS NULL AND unsubscribed_at IS NULL"
    online.add_index(
        "newsletter_subscriptions_pending_idx",
        f"newsletter_subscriptions (confirmation_sent_at) WHERE {is_pending} AND confirmation_sent_at IS NOT NULL",
    )

"""The push messages of a campaign are found by the campaign, so that those of a paused one wait without being read.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online

revision = "push_turns"
down_revision = "accepted_and_settled"

OF_CAMPAIGNS = "channel = 'push' AND kind = 'campaign' AND sent_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL"


def upgrade() -> None:
    """Add the index; the version before goes on working."""
    online.add_index(
        "outbox_campaign_push_turn_idx", f"outbox ((payload ->> 'campaign_id'), due_at, id) WHERE {OF_CAMPAIGNS}"
    )

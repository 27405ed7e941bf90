"""Up to when an accepted fall settles an account's readings, and why a participant had no rank at the settlement.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online

revision = "accepted_and_settled"
down_revision = "mail_by_message"

FILL_LAST_FEED = """
    UPDATE accepted_falls r SET last_feed_at = feeds.requested_at FROM batch JOIN feeds ON feeds.id = batch.feed_id
    WHERE r.id = batch.id RETURNING r.id
"""


def upgrade() -> None:
    """Add the columns; the reasons of races that were settled before are not known."""
    online.add_columns("wager_race_participants", "unranked_reason text")
    online.add_columns("accepted_falls", "last_feed_at timestamp")
    online.fill("accepted_falls", "r.last_feed_at IS NULL", FILL_LAST_FEED)

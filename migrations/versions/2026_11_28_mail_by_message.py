"""An index finds the mail that a bounce or a complaint is about, by SES's id of the message.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online

revision = "mail_by_message"
down_revision = "campaigns"


def upgrade() -> None:
    """Add the index; no row and no column changes."""
    online.add_index("outbox_message_id_idx", "outbox (message_id) WHERE message_id IS NOT NULL")

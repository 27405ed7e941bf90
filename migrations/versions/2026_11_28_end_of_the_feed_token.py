"""Each feed has when the token ends with which it was requested, for the staff's overview.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online

revision = "end_of_the_feed_token"
down_revision = "ticket_clocks"


def upgrade() -> None:
    """Add a column; the version before goes on working."""
    online.add_columns("feeds", "token_ends_at timestamp")

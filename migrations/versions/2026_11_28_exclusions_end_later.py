"""A long exclusion ends a day after the member has ended it: users remember when.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online

revision = "exclusions_end_later"
down_revision = "push_turns"


def upgrade() -> None:
    """Add the column, which is null in all rows; the version before goes on working."""
    online.add_columns("users", "exclusion_ends_at timestamp")

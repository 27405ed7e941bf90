"""An index finds the exclusions that end: a function looks for them every minute.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online

revision = "ends_of_exclusions"
down_revision = "exclusions_end_later"


def upgrade() -> None:
    """Add the index, which has few rows; no row and no column changes."""
    online.add_index("users_exclusion_ends_at_idx", "users (exclusion_ends_at) WHERE exclusion_ends_at IS NOT NULL")

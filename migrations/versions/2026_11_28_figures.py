"""A table for the figures of the staff's overview, which are counted in the background.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online

revision = "figures"
down_revision = "given_up_identities"

FIGURES = """
CREATE TABLE IF NOT EXISTS figures (
    name text CONSTRAINT figures_pkey PRIMARY KEY,
    value numeric,
    as_of timestamp NOT NULL
)
"""


def upgrade() -> None:
    """Add the table; `advance_races` fills it within a minute."""
    online.change(FIGURES)

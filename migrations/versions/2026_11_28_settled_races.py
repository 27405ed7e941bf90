"""What a settled race is checked with: the last total of each participant, and the copies of its boundary feeds.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online

revision = "settled_races"
down_revision = "feed_and_settlement"

INDEXES = (
    ("historical_races_end_date_id_idx", "historical_races (end_date, id)"),
    ("race_boundaries_not_kept_idx", "race_boundaries (instant) WHERE fixed_at IS NOT NULL AND kept_at IS NULL"),
)


def upgrade() -> None:
    """Add the columns and build the indexes; the version before goes on working."""
    online.add_columns("wager_race_participants", "end_total numeric(18, 8)")
    online.add_columns("race_boundaries", "kept_at timestamp")
    for name, definition in INDEXES:
        online.add_index(name, definition)

"""How many participants a race has: exact at every moment, without counting them or a counter that joins wait for.

`participant_count` of the race and the rows of `participant_changes` that are not in it yet, together. Were the count
only a column that each join increments, members who join one race at once would wait for each other until each commit.
"""

from sqlalchemy import Connection, delete, func, select, update

from goatedvips.models.races import participant_changes as changes
from goatedvips.models.races import wager_races as races

_pending = select(func.coalesce(func.sum(changes.c.change), 0)).where(changes.c.race_id == races.c.id)
PARTICIPANTS = races.c.participant_count + _pending.scalar_subquery()
"""An expression for the number of a race's participants: those that its leaderboard lists."""

# SKIP LOCKED: a race that is being changed is left to the next run. Only who has locked a race takes its changes.
_lock_changed_races = (
    select(races.c.id)
    .where(races.c.id.in_(select(changes.c.race_id)))
    .with_for_update(skip_locked=True, key_share=True)
    .cte("changed")
)
_take_changes = (
    delete(changes)
    .where(changes.c.race_id == _lock_changed_races.c.id)
    .returning(changes.c.race_id, changes.c.change)
    .cte("taken")
)
_sums = (
    select(_take_changes.c.race_id, func.sum(_take_changes.c.change).label("change"))
    .group_by(_take_changes.c.race_id)
    .subquery("sums")
)
_fold_changes = (
    update(races)
    .where(races.c.id == _sums.c.race_id)
    .values(participant_count=races.c.participant_count + _sums.c.change)
)


def fold(connection: Connection) -> None:
    """Add the changes to the races' rows, so that a request finds few of them; the number does not change by it."""
    connection.execute(_fold_changes)

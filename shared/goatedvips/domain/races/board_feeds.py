"""Races with the feed that their ranks come from."""

from goatedvips.models.races import wager_races as races
from goatedvips.models.wagers import feeds

WITH_BOARD_FEED = races.outerjoin(feeds, feeds.c.id == races.c.board_feed_id)
"""Races, each with the feed that its scores and ranks were computed from."""
FRESHNESS = (
    feeds.c.requested_at.label("as_of"),
    races.c.start_date,
    races.c.end_date,
    races.c.settled_at,
    races.c.cancelled_at,
)
"""The columns of `WITH_BOARD_FEED` that `is_stale` reads."""

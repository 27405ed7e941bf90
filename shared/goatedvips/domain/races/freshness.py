"""As of when the ranks of a race are, and whether a newer reading of the feed is overdue."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from goatedvips.models.races import wager_races as races
from goatedvips.models.wagers import feeds

STALE_AFTER = timedelta(minutes=30)  # three readings of the feed

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


def is_stale(race: Row[Any], now: datetime) -> bool:
    """Whether the ranks of a race lack the readings of the last 30 minutes.

    They do not if the race has not started, is cancelled or settled, or has the reading that ends it.

    Parameters
    ----------
    race: a row with the columns of `FRESHNESS`.
    """
    if race.start_date > now or race.cancelled_at is not None or race.settled_at is not None:
        return False
    if race.as_of is not None and race.as_of >= race.end_date:
        return False
    newest: datetime = race.as_of or race.start_date
    return now - newest > STALE_AFTER

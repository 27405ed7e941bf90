"""As of when the ranks of a race are, and whether a newer reading of the feed is overdue."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Row

STALE_AFTER = timedelta(minutes=30)  # three readings of the feed


def is_stale(race: "Row[Any]", now: datetime) -> bool:
    """Whether the ranks of a race lack the readings of the last 30 minutes.

    They do not if the race has not started, is cancelled or settled, or has the reading that ends it.

    Parameters
    ----------
    race: a row with the columns of `board_feeds.FRESHNESS`.
    """
    if race.start_date > now or race.cancelled_at is not None or race.settled_at is not None:
        return False
    if race.as_of is not None and race.as_of >= race.end_date:
        return False
    newest: datetime = race.as_of or race.start_date
    return now - newest > STALE_AFTER

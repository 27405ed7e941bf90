"""The past of the demo data: the feeds of the starts of its races, so that the first leaderboards have scores."""

from contextlib import nullcontext
from datetime import datetime

from sqlalchemy import exists, select

from goatedvips.models.races import wager_races
from goatedvips.models.wagers import feeds
from local.clock import MovableClock, written
from local.pool import Pool
from local.stand_ins.event_bridge import EventBridge
from migrations.upgrade import engine

FUNCTION = "FetchWagersFunction"
INGESTION_SECONDS = 30.0
"""For which the ingestion of a feed is waited for."""


def request(url: str, pool: Pool, events: EventBridge, clock: MovableClock) -> None:
    """Request the feed as of the start of each live race, and as of now, if the database has no feed yet.

    Parameters
    ----------
    url: of the database.

    Raises
    ------
    FunctionError: a feed could not be requested.

    """
    now = clock.now()
    for instant in _missing(url, now):
        with clock.showing(instant) if instant < now else nullcontext():
            pool.invoke(FUNCTION, {"scheduled_time": written(instant)})
            events.wait(INGESTION_SECONDS)


def _missing(url: str, now: datetime) -> list[datetime]:
    """Return the instants whose feeds a new database lacks, the oldest first."""
    live = wager_races.c.start_date <= now, wager_races.c.end_date > now, wager_races.c.cancelled_at.is_(None)
    starts = select(wager_races.c.start_date).where(*live).distinct().order_by(wager_races.c.start_date)
    with engine(url).connect() as connection:
        if connection.scalar(select(exists().select_from(feeds))):
            return []
        return [*connection.scalars(starts), now]

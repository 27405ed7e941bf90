"""The past of the demo data: the feeds of the starts of its races, so that the first leaderboards have scores.

Then the tiers: one of them is a little above what the demo's member has wagered.
"""

from contextlib import nullcontext
from datetime import datetime
from decimal import Decimal

from sqlalchemy import exists, select

from goatedvips.domain.wagers import tier_versions
from goatedvips.domain.wagers.tier_versions import Tier
from goatedvips.models.accounts import users
from goatedvips.models.races import wager_races
from goatedvips.models.wagers import feeds
from local import demo
from local.clock import MovableClock, written
from local.pool import Pool
from local.stand_ins.event_bridge import EventBridge
from migrations.upgrade import engine

FUNCTION = "FetchWagersFunction"
INGESTION_SECONDS = 30.0
"""For which the ingestion of a feed is waited for."""
NEXT_TIER = "Lucky Goat"
"""The tier that the demo's member passes next."""
NEXT_REWARD = Decimal(10)  # US dollars
NEXT_STEP = Decimal(100)  # US dollars; what the member wagers in some hours


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
    missing = _missing(url, now)
    for instant in missing:
        with clock.showing(instant) if instant < now else nullcontext():
            pool.invoke(FUNCTION, {"scheduled_time": written(instant)})
            events.wait(INGESTION_SECONDS)
    if missing:
        _publish_tiers(url, now)


def _missing(url: str, now: datetime) -> list[datetime]:
    """Return the instants whose feeds a new database lacks, the oldest first."""
    live = wager_races.c.start_date <= now, wager_races.c.end_date > now, wager_races.c.cancelled_at.is_(None)
    starts = select(wager_races.c.start_date).where(*live).distinct().order_by(wager_races.c.start_date)
    with engine(url).connect() as connection:
        if connection.scalar(select(exists().select_from(feeds))):
            return []
        return [*connection.scalars(starts), now]


def _publish_tiers(url: str, now: datetime) -> None:
    """Publish the default tiers with one more, which the member passes within some hours."""
    wagered = select(users.c.total_wager).where(users.c.username == demo.MEMBER)
    with engine(url).begin() as connection:
        staff, total = demo.staff_caller(connection), connection.scalar(wagered)
        if staff is not None and total is not None:
            # Half a step beside the minima of all others.
            least = total // NEXT_STEP * NEXT_STEP + NEXT_STEP * 3 / 2
            tiers = [*tier_versions.get_newest(connection).tiers, Tier(NEXT_TIER, least, NEXT_REWARD)]
            tiers.sort(key=lambda tier: tier.min_wager)
            tier_versions.publish(connection, staff, tiers, now=now)

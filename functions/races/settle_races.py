"""Every minute: settle the races that ended 30 minutes ago and have the feed of their end, and keep their feeds."""

from goatedvips import race_settlement
from goatedvips.schedule import lambda_handler


def settle_races() -> dict[str, int]:
    done = race_settlement.settle_due()
    return {**done, "feeds_kept": race_settlement.keep_feeds()}


handler = lambda_handler(settle_races)

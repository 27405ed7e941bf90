"""Every minute: races start and end by the clock, and the next ones of those that repeat are created."""

from dataclasses import asdict

from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.db import transaction
from goatedvips.domain.races import calendar
from goatedvips.schedule import lambda_handler


def advance_races() -> dict[str, int]:
    with transaction() as connection:
        return asdict(calendar.advance(connection, ours_only=settings.legacy_app, now=utc_now()))


handler = lambda_handler(advance_races)

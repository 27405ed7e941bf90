"""Every minute: update the status of races by the clock, and create the next race of each one that repeats."""

from dataclasses import asdict

from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.db import transaction
from goatedvips.domain.races import recurrence
from goatedvips.schedule import lambda_handler


def advance_races() -> dict[str, int]:
    with transaction() as connection:
        return asdict(recurrence.advance(connection, legacy_app=settings.legacy_app, now=utc_now()))


handler = lambda_handler(advance_races)

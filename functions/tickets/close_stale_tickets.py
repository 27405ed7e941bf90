"""Every day: close tickets that staff answered 7 days ago or earlier, and whose member has not written since."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.tickets import stale
from goatedvips.runs import seconds_left
from goatedvips.schedule import lambda_handler

RESERVED_SECONDS = 10.0  # no batch begins with less time left; the next run continues


def close_stale_tickets() -> dict[str, int]:
    closed, batch = 0, stale.BATCH
    while batch == stale.BATCH and seconds_left() > RESERVED_SECONDS:
        with transaction() as connection:
            batch = stale.close_stale(connection, now=utc_now())
        closed += batch
    return {"closed": closed}


handler = lambda_handler(close_stale_tickets)

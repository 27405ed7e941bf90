"""On the 1st of each month (UTC): write each member's statement of the month before."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.wagers.statements import months, writing
from goatedvips.runs import seconds_left
from goatedvips.schedule import lambda_handler

RESERVED_SECONDS = 10.0  # no batch begins with less time left


def write_statements() -> dict[str, int]:
    """Lambda runs it again if time runs out, and it goes on where it stopped."""
    written = 0
    with transaction() as connection:
        found = months.find_months(connection, now=utc_now())
    for month in found:
        with transaction() as connection:
            bounds = months.find_bounds(connection, month)
        after: int | None = 0
        while after is not None:
            if seconds_left() < RESERVED_SECONDS:
                raise TimeoutError(f"statements of {month.start:%Y-%m} are missing after member {after}")
            with transaction() as connection:
                batch = writing.write_batch(connection, bounds, after, now=utc_now())
            written, after = written + batch.written, batch.next_after
    return {"written": written}


handler = lambda_handler(write_statements)

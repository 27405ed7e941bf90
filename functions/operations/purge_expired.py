"""Every day: delete rows whose retention period has passed, and clear `is_active` of members who were idle for long."""

from collections import Counter

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.operations import retention
from goatedvips.runs import seconds_left
from goatedvips.schedule import lambda_handler

RESERVED_SECONDS = 10.0  # no batch begins with less time left; the next run continues


def purge_expired() -> Counter[str]:
    done: Counter[str] = Counter()
    now = utc_now()
    for kind in retention.KINDS:
        after: int | None = 0
        while after is not None and seconds_left() > RESERVED_SECONDS:
            with transaction() as connection:
                batch = retention.purge(connection, kind, after, now=now)
            done[kind] += batch.purged
            after = batch.next_after
    return done


handler = lambda_handler(purge_expired)

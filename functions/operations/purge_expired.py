"""Every day: what is kept for a while alone is removed, and who has been away for a month is no longer active."""

from collections import Counter

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.operations import retention
from goatedvips.schedule import lambda_handler, seconds_left

LAST_SECONDS = 10.0  # of the function's time, in which no batch is begun: the next run goes on


def purge_expired() -> Counter[str]:
    done: Counter[str] = Counter()
    now = utc_now()
    for kind in retention.KINDS:
        after: int | None = 0
        while after is not None and seconds_left() > LAST_SECONDS:
            with transaction() as connection:
                batch = retention.purge(connection, kind, after, now=now)
            done[kind] += batch.purged
            after = batch.go_on_after
    return done


handler = lambda_handler(purge_expired)

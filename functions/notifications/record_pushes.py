"""When results of push messages were put into the bucket: record what became of each message."""

from collections import Counter

from goatedvips.clients.push_batches import IN
from goatedvips.clock import utc_now
from goatedvips.events import lambda_handler
from goatedvips.push_outbox import record


def record_pushes(key: str) -> Counter[str]:
    return record(key, now=utc_now())


handler = lambda_handler(record_pushes, prefix=IN)

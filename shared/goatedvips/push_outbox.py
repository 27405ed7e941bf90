"""The way of push messages from the outbox into S3, and of what push services answered from S3 into the outbox.

What is between them, send_pushes, runs outside the VPC and has no database.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from goatedvips.alarms import Alarm, alarm
from goatedvips.config import settings
from goatedvips.db import transaction
from goatedvips.domain.notifications import sending
from goatedvips.domain.notifications.pushes import leases, outcomes, results
from goatedvips.domain.notifications.pushes.leases import PushMessage
from goatedvips.domain.notifications.pushes.outcomes import Failure
from goatedvips.domain.notifications.pushes.results import Result

PAUSE = timedelta(seconds=10)

logger = logging.getLogger("goatedvips.push_outbox")


class PushTurns:
    """When a run of the sender hands push messages over: every 10 seconds, and at each turn while more are due.

    After S3 has taken nothing, or the hand-over failed otherwise, the rest of the run is the mail's.

    Parameters
    ----------
    clock: returns the present instant.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._next_at: datetime | None = clock()
        self.has_more = False
        """Whether more push messages may be due."""

    def hand_over(self) -> Counter[str]:
        """Hand a batch over, if it is time; return the number of each outcome of its rows."""
        now = self._clock()
        if self._next_at is None or now < self._next_at:
            return Counter()
        try:
            done = hand_over(now=now)
        except Exception:  # whatever it is, it must not delay the mail
            logger.exception("not handed over")
            self._next_at, self.has_more = None, False
            return Counter()
        self.has_more = done.total() == leases.BATCH and not done["put_back"]
        self._next_at = None if done["put_back"] else now if self.has_more else now + PAUSE
        return done


def hand_over(*, now: datetime) -> Counter[str]:
    """Lease a batch of due push messages and put it into S3; return the number of each outcome of its rows.

    The rows are leased and committed before the batch is put, so it is never put twice. If S3 does not take it, they
    are put back. Where the platform has no key for Web Push, they are dropped.

    Raises
    ------
    Problem: the database cannot lease, or cannot record an outcome; the lease expires, and the rows are leased again.
    """
    with transaction() as connection:
        batch = leases.lease(connection, now=now)
    if not batch.rows:
        return Counter()
    if settings.push_public_key:
        messages, decided = leases.decide(batch, settings.inbox_url, now=now)
    else:
        messages, decided = [], leases.drop_all(batch)
    _raise_alarms(decided.given_up())
    if len(messages) < len(batch.rows):
        with transaction() as connection:
            outcomes.record(connection, decided, now=now)
    done = decided.count()
    if messages:
        done[_put(batch.name, messages)] += len(messages)
    return done


def _put(batch: str, messages: Sequence[PushMessage]) -> sending.Outcome:
    """Put a batch into S3; return the outcome of its rows."""
    from goatedvips.clients import push_batches  # pydantic takes time to import, and mostly there is nothing to push

    try:
        push_batches.put_pushes(batch, [push_batches.Push(**asdict(message)) for message in messages])
    except Exception:  # whatever it is, it must not delay the mail
        logger.exception("not put into S3", extra={"batch": batch, "pushes": len(messages)})
        with transaction() as connection:
            return sending.put_back(connection, messages)
    return "handed_over"


def record(key: str, *, now: datetime) -> Counter[str]:
    """Record the results in an object of the bucket; return the number of each outcome.

    Raises
    ------
    MalformedBatch: they are none, and nothing is recorded.
    botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: S3 cannot be read.
    Problem: the database cannot record them.
    """
    from goatedvips.clients import push_batches

    batch = push_batches.read_results(key)
    given = [
        Result(
            *(result.id, result.attempt, result.status, result.retry_after, result.error),
            was_tried=result.error != push_batches.NOT_TRIED,
            is_usable=result.error != push_batches.UNUSABLE,
        )
        for result in batch.results
    ]
    with transaction() as connection:
        recorded = results.record(connection, batch.batch, given, now=now)
        # Before the transaction commits: a run that is cut off in between is repeated, and its alarms must not be lost.
        _raise_alarms(recorded.outcomes.given_up())
    return recorded.count()


def _raise_alarms(given_up: Mapping[int, Failure]) -> None:
    for outbox_id, failure in given_up.items():
        alarm(Alarm.OUTBOX_GIVEN_UP, outbox_id=outbox_id, kind=failure.kind, reason=failure.reason)

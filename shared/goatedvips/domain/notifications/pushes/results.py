"""Recording what push services answered (RFC 8030), for the rows that are still leased for that answer."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Integer,
    Row,
    Select,
    Text,
    any_,
    bindparam,
    case,
    column,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from goatedvips.domain.access import NOW
from goatedvips.domain.notifications.outbox import WAITING
from goatedvips.domain.notifications.pushes.outcomes import ENDED, Failure, Outcomes
from goatedvips.domain.notifications.pushes.outcomes import record as record_outcomes
from goatedvips.models.notifications import outbox
from goatedvips.models.notifications import push_subscriptions as subscriptions

MOST_REFUSALS = 10
"""So many refusals in a row, without a success, remove a push subscription."""
PAUSE = timedelta(minutes=1)
"""Before a push message is sent that was not tried, or that a push service refuses without saying for how long."""
_SUCCESS, _REFUSALS = range(200, 300), range(300, 500)  # no redirect is followed
_GONE = (404, 410)
_TOO_MANY_REQUESTS, _UNAVAILABLE = 429, 503
_LONGEST_WAIT = 7 * 24 * 3600  # seconds that a push service may ask for; no push message is of use for longer


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a push message.

    Parameters
    ----------
    id: of its row in the outbox.
    attempt: the number of the try.
    status: of the push service's answer; None: there was none.
    retry_after: in how many seconds the push service takes it, if it says so.
    reason: why there was no answer, without the content and the endpoint, because it is stored.
    was_tried: whether a request was made, or could not be made for a reason of the message's own.
    is_usable: whether a request can be made at all.
    """

    id: int
    attempt: int
    status: int | None
    retry_after: int | None = None
    reason: str | None = None
    was_tried: bool = True
    is_usable: bool = True


@dataclass(slots=True)
class _Subscription:
    """A push subscription, as the results change it."""

    user_id: int
    failures: int
    is_changed: bool = False
    has_success: bool = False
    is_gone: bool = False

    def add_success(self) -> None:
        self.failures, self.has_success, self.is_changed = 0, True, True

    def add_refusal(self) -> None:
        self.failures, self.is_changed = self.failures + 1, True
        self.is_gone = self.is_gone or self.failures >= MOST_REFUSALS


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded of the results of a batch.

    Parameters
    ----------
    ignored: the number of results for rows that are not leased for them.
    removed: the push subscriptions that were removed.
    """

    outcomes: Outcomes
    ignored: int
    removed: list[int]

    def count(self) -> Counter[str]:
        """Return the number of each outcome."""
        counts = self.outcomes.count()
        counts.update(ignored=self.ignored, removed=len(self.removed))
        return counts


_IDS = bindparam("push_ids", type_=ARRAY(BigInteger))
_SUBSCRIPTION_IDS = bindparam("subscription_ids", type_=ARRAY(Integer))
# Subscriptions first, as whoever removes one locks them.
_lock_subscriptions: Select[*tuple[Any, ...]] = (
    select(subscriptions.c.id, subscriptions.c.user_id, subscriptions.c.failures)
    .where(subscriptions.c.id.in_(select(outbox.c.push_subscription_id).where(outbox.c.id == any_(_IDS))))
    .order_by(subscriptions.c.id)
    .with_for_update()
)
_lock_leased: Select[*tuple[Any, ...]] = (
    select(outbox.c.id, outbox.c.kind, outbox.c.user_id, outbox.c.attempts, outbox.c.push_subscription_id)
    .where(
        outbox.c.id == any_(_IDS),
        outbox.c.message_id == bindparam("batch_name", type_=Text),
        outbox.c.leased_until.is_not(None),
        WAITING,
    )
    .order_by(outbox.c.id)
    .with_for_update()
)
_changed = (
    func.unnest(
        _SUBSCRIPTION_IDS,
        bindparam("refusals", type_=ARRAY(Integer)),
        bindparam("successes", type_=ARRAY(Boolean)),
    )
    .table_valued(column("id", Integer), column("failures", Integer), column("has_success", Boolean), name="changed")
    .render_derived()
)
_update_subscriptions = (
    update(subscriptions)
    .where(subscriptions.c.id == _changed.c.id)
    .values(
        failures=_changed.c.failures,
        last_success_at=case((_changed.c.has_success, NOW), else_=subscriptions.c.last_success_at),
    )
)
_select_waiting = select(outbox.c.id).where(outbox.c.push_subscription_id == any_(_SUBSCRIPTION_IDS), WAITING)
_remove_subscriptions = delete(subscriptions).where(subscriptions.c.id == any_(_SUBSCRIPTION_IDS))


def record(connection: Connection, batch: str, results: Sequence[Result], *, now: datetime) -> Recorded:
    """Record the results of a batch. Call it in a transaction; a repetition changes nothing.

    A result is ignored if its row is not leased for this batch and attempt any more, for example because another lease
    has begun, the result was recorded before, or the member is erased.

    Parameters
    ----------
    batch: the name of the batch.
    """
    given = {"push_ids": [result.id for result in results], "batch_name": batch}
    present = {
        row.id: _Subscription(row.user_id, row.failures) for row in connection.execute(_lock_subscriptions, given)
    }
    leased = {row.id: row for row in connection.execute(_lock_leased, given)}
    outcomes, ignored = Outcomes(), 0
    for result in results:
        row = leased.get(result.id)
        if row is None or row.attempts != result.attempt:
            ignored += 1
            continue
        del leased[result.id]
        subscription = present.get(row.push_subscription_id)
        if subscription is None or subscription.user_id != row.user_id:  # it was removed, or is another member's now
            subscription = _Subscription(row.user_id, 0)
        _add(outcomes, row, result, subscription, now=now)
    record_outcomes(connection, outcomes, now=now)
    _update(connection, {key: each for key, each in present.items() if each.is_changed and not each.is_gone}, now=now)
    removed = [subscription_id for subscription_id, subscription in present.items() if subscription.is_gone]
    outcomes.dropped |= _remove(connection, removed, now=now)
    return Recorded(outcomes, ignored, removed)


def _add(outcomes: Outcomes, row: Row[Any], result: Result, subscription: _Subscription, *, now: datetime) -> None:
    """Add a result to what is recorded, and to the subscription that the message went to."""
    status = result.status
    if not result.was_tried:
        outcomes.deferred[row.id] = now + PAUSE
    elif status in _SUCCESS:
        outcomes.sent.append(row.id)
        subscription.add_success()
    elif status in _GONE:
        outcomes.dropped[row.id] = ENDED
        subscription.is_gone = True
    elif status == _TOO_MANY_REQUESTS or (status == _UNAVAILABLE and result.retry_after is not None):
        wait = PAUSE if result.retry_after is None else timedelta(seconds=min(result.retry_after, _LONGEST_WAIT))
        outcomes.deferred[row.id] = now + wait
    elif status in _REFUSALS or not result.is_usable:
        outcomes.dropped[row.id] = f"HTTP {status}" if status else "unusable"
        subscription.add_refusal()
    else:
        reason = f"HTTP {status}" if status else result.reason or "no answer"
        outcomes.failed[row.id] = Failure(row.kind, row.attempts, reason)


def _update(connection: Connection, changed: Mapping[int, _Subscription], *, now: datetime) -> None:
    """Write what the results changed of push subscriptions, by their ids."""
    if changed:
        given = {
            "subscription_ids": [*changed],
            "refusals": [subscription.failures for subscription in changed.values()],
            "successes": [subscription.has_success for subscription in changed.values()],
        }
        connection.execute(_update_subscriptions, given | {"now": now})


def _remove(connection: Connection, ids: list[int], *, now: datetime) -> dict[int, str]:
    """Remove push subscriptions, and drop what waits for them; return that with its reason."""
    if not ids:
        return {}
    waiting = dict.fromkeys(connection.scalars(_select_waiting, {"subscription_ids": ids}), ENDED)
    record_outcomes(connection, Outcomes(dropped=waiting), now=now)
    connection.execute(_remove_subscriptions, {"subscription_ids": ids})
    return waiting

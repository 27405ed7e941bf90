"""What becomes of leased push messages, recorded for many rows of the outbox at once."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Text,
    Update,
    any_,
    bindparam,
    case,
    column,
    func,
    null,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from goatedvips.domain.access import NOW
from goatedvips.domain.notifications.outbox import WAITING
from goatedvips.domain.notifications.sending import FIRST_PAUSE, TRIES
from goatedvips.models.notifications import outbox

ENDED: Final = "subscription_ended"
"""Why push messages are dropped whose subscription was removed, or is another member's now."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A try that failed.

    Parameters
    ----------
    kind: of the notification.
    attempts: tries so far, this one included.
    reason: without the content and the endpoint, because it is stored.
    """

    kind: str
    attempts: int
    reason: str

    @property
    def is_last(self) -> bool:
        """Whether the push message is given up."""
        return self.attempts >= TRIES


@dataclass(slots=True)
class Outcomes:
    """What became of push messages, by the ids of their rows."""

    sent: list[int] = field(default_factory=list)
    dropped: dict[int, str] = field(default_factory=dict)
    """Those that are given up for good, although nothing failed on our side, with the reasons."""
    deferred: dict[int, datetime] = field(default_factory=dict)
    """Those that wait until an instant, and whose try does not count."""
    failed: dict[int, Failure] = field(default_factory=dict)
    """Those that are tried again after a pause that doubles, or given up after the last try."""

    def given_up(self) -> dict[int, Failure]:
        """Return those that failed at the last try."""
        return {outbox_id: failure for outbox_id, failure in self.failed.items() if failure.is_last}

    def count(self) -> Counter[str]:
        """Return the number of each outcome."""
        given_up = len(self.given_up())
        return Counter(
            sent=len(self.sent),
            dropped=len(self.dropped),
            deferred=len(self.deferred),
            retried=len(self.failed) - given_up,
            given_up=given_up,
        )


_INSTANT = outbox.c.due_at.type
_IDS = bindparam("push_ids", type_=ARRAY(BigInteger))
_given = (
    func.unnest(_IDS, bindparam("reasons", type_=ARRAY(Text)), bindparam("instants", type_=ARRAY(_INSTANT)))
    .table_valued(column("id", BigInteger), column("reason", Text), column("instant", _INSTANT), name="given")
    .render_derived()
)


def _update_given(**values: ColumnElement[Any]) -> Update:
    return update(outbox).where(outbox.c.id == _given.c.id, WAITING).values(leased_until=null(), **values)


_record_sent = (
    update(outbox).where(outbox.c.id == any_(_IDS), WAITING).values(sent_at=NOW, leased_until=null(), last_error=null())
)
_drop = _update_given(dropped_at=NOW, dropped_reason=_given.c.reason)
_defer = _update_given(attempts=outbox.c.attempts - 1, due_at=_given.c.instant)
_record_failures = _update_given(
    last_error=_given.c.reason,
    due_at=_given.c.instant,
    failed_at=case((outbox.c.attempts >= TRIES, NOW)),
)


def record(connection: Connection, outcomes: Outcomes, *, now: datetime) -> None:
    """Record what became of leased rows, with one statement for each outcome that there is."""
    if outcomes.sent:
        connection.execute(_record_sent, {"push_ids": outcomes.sent, "now": now})
    if dropped := outcomes.dropped:
        given = {"push_ids": [*dropped], "reasons": [*dropped.values()], "instants": [now] * len(dropped)}
        connection.execute(_drop, given | {"now": now})
    if deferred := outcomes.deferred:
        given = {"push_ids": [*deferred], "reasons": [""] * len(deferred), "instants": [*deferred.values()]}
        connection.execute(_defer, given)
    if failed := outcomes.failed:
        given = {
            "push_ids": [*failed],
            "reasons": [failure.reason for failure in failed.values()],
            "instants": [now + FIRST_PAUSE * 2 ** (failure.attempts - 1) for failure in failed.values()],
        }
        connection.execute(_record_failures, given | {"now": now})

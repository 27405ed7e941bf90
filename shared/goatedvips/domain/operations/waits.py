"""How long the platform has waited for what should come or leave every few minutes, for its metrics."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Integer, cast, func, select

from goatedvips.domain.access import NOW
from goatedvips.domain.notifications.deciding import Channel
from goatedvips.domain.notifications.kinds import Priority
from goatedvips.domain.notifications.outbox import WAITING
from goatedvips.models.notifications import outbox
from goatedvips.models.wagers import feeds


@dataclass(frozen=True, slots=True)
class Waits:
    """Ages in seconds; 0 where there is nothing to wait for."""

    outbox_age: int
    """Of the mail or push message that has been due the longest, without what goes to very many recipients at once."""
    feed_age: int
    """Of the newest feed, from its request; 0 before the first one."""


def _age(instant: ColumnElement[datetime]) -> ColumnElement[int]:
    return cast(func.greatest(func.coalesce(func.extract("epoch", NOW - instant), 0), 0), Integer)


_select_waits = select(
    select(_age(func.min(outbox.c.due_at)))
    .where(WAITING, outbox.c.channel.in_(list(Channel)), outbox.c.priority < Priority.BULK, outbox.c.due_at <= NOW)
    .scalar_subquery()
    .label("outbox_age"),
    select(_age(func.max(feeds.c.requested_at))).scalar_subquery().label("feed_age"),
)


def measure(connection: Connection, *, now: datetime) -> Waits:
    """Return how long it has waited as of `now`."""
    row = connection.execute(_select_waits, {"now": now}).one()
    return Waits(row.outbox_age, row.feed_age)

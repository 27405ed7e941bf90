"""Which months statements are written for, and which readings count in a month."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, Connection, Select, bindparam, func, select

from goatedvips.models.schema import Instant
from goatedvips.models.wagers import feeds

MOST_MONTHS = 3
"""A run also writes what runs of earlier months have missed, at most so many months in all."""

START = bindparam("month_start", type_=Instant)
END = bindparam("month_end", type_=Instant)
READ_FROM = bindparam("read_from", type_=Instant)
"""The earliest request of a feed that was ingested in the month."""
LATE_AT = bindparam("late_at", type_=ARRAY(Instant))
"""When the feeds were requested that were requested before the month's end and ingested after it."""


@dataclass(frozen=True, slots=True)
class Month:
    """A month of UTC.

    Parameters
    ----------
    start: its first instant.
    """

    start: datetime

    @property
    def end(self) -> datetime:
        """The first instant after it."""
        return (self.start + timedelta(days=31)).replace(day=1)

    @property
    def previous(self) -> "Month":
        """The month before it."""
        return Month((self.start - timedelta(days=1)).replace(day=1))


_select_first_feed = select(func.min(feeds.c.requested_at))


def find_months(connection: Connection, *, now: datetime) -> list[Month]:
    """Return the months that are over, the earliest first: from the first feed's on, but at least the last one."""
    first_feed = connection.execute(_select_first_feed).scalar_one()
    present = Month(now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0))
    return [*_months_back(present.previous, first_feed or now)][::-1]


def _months_back(month: Month, first_feed: datetime) -> Iterator[Month]:
    for _ in range(MOST_MONTHS):
        yield month
        if month.start <= first_feed:
            return
        month = month.previous


_was_ingested_within = feeds.c.ingested_at >= START, feeds.c.ingested_at < END
_first_read = select(func.min(feeds.c.requested_at)).where(*_was_ingested_within).scalar_subquery()
_late = select(feeds.c.requested_at).where(feeds.c.requested_at < END, feeds.c.ingested_at >= END)
_select_bounds: Select[*tuple[Any, ...]] = select(
    func.coalesce(_first_read, END, type_=Instant).label(READ_FROM.key),
    func.array(_late.scalar_subquery(), type_=ARRAY(Instant)).label(LATE_AT.key),
)


def find_bounds(connection: Connection, month: Month) -> dict[str, object]:
    """Return what the statement of each batch of a month is bound to."""
    parameters = {"month_start": month.start, "month_end": month.end}
    return parameters | dict(connection.execute(_select_bounds, parameters).one()._mapping)

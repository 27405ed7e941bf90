"""What staff see of the affiliate feed: its last readings, and the totals that have fallen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Interval, Select, func, literal, select, true

from goatedvips.domain import access
from goatedvips.domain.access import NOW, Caller
from goatedvips.models.wagers import feeds, wager_accounts

SHOWN_FOR = timedelta(hours=24)
MOST_READINGS = 1_000
MOST_FALLS = 1_000


@dataclass(frozen=True, slots=True)
class Reading:
    """One ingested feed.

    Parameters
    ----------
    key: of the raw answer in S3.
    is_whole: whether it counts as the complete list of accounts, by itself or because staff accepted it.
    problem: why it is no feed, or not whole.
    bad_count: entries that were skipped.
    uid_count: different uids; 0: nothing was read from it.
    missing_count: uids of the last whole feed before it that it lacks.
    total_users, last_updated: as the feed itself says.
    """

    key: str
    requested_at: datetime
    ingested_at: datetime
    is_whole: bool
    problem: str | None
    entry_count: int
    bad_count: int
    uid_count: int
    missing_count: int
    total_users: int | None
    last_updated: datetime | None
    accepted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Fall:
    """An account whose total is below its highest one.

    Parameters
    ----------
    user_id: the member whom the uid is linked to; None: nobody.
    total, highest: US dollars.
    read_at: when the feed was requested that brought the total.
    """

    uid: str
    user_id: int | None
    total: Decimal
    highest: Decimal
    read_at: datetime


@dataclass(frozen=True, slots=True)
class FeedView:
    """The readings of the last 24 hours, the newest first, and the falls that staff have not accepted."""

    readings: Sequence[Reading]
    falls: Sequence[Fall]
    falls_total: int


_staff = access.staff()
_recent = (
    select(*(feeds.c[name] for name in Reading.__dataclass_fields__))
    .where(feeds.c.requested_at > NOW - literal(SHOWN_FOR, Interval()))
    .order_by(feeds.c.requested_at.desc(), feeds.c.key.desc())
    .limit(MOST_READINGS)
    .subquery("recent")
)
_select_readings: Select[Any] = (
    select(*_recent.c)
    .select_from(_staff.outerjoin(_recent, true()))
    .order_by(_recent.c.requested_at.desc(), _recent.c.key.desc())
)
_select_falls = (
    select(
        wager_accounts.c.uid,
        wager_accounts.c.user_id,
        wager_accounts.c.total_wager.label("total"),
        wager_accounts.c.highest,
        wager_accounts.c.read_at,
        func.count().over().label("falls_total"),
    )
    .where(wager_accounts.c.is_fallen)
    .order_by((wager_accounts.c.highest - wager_accounts.c.total_wager).desc(), wager_accounts.c.id)
    .limit(MOST_FALLS)
)


def get(connection: Connection, caller: Caller, *, now: datetime) -> FeedView:
    """Return the last readings, at most 1,000, and the open falls, the 1,000 largest at most.

    Raises
    ------
    Unauthenticated, AccountSuspended, Forbidden
    """
    recent = connection.execute(_select_readings, caller.parameters(now)).all()
    if not recent:
        access.explain(connection, caller, now=now, staff=True)
    falls = connection.execute(_select_falls).all()
    return FeedView(
        readings=[Reading(**row._mapping) for row in recent if row.key is not None],
        falls=[Fall(row.uid, row.user_id, row.total, row.highest, row.read_at) for row in falls],
        falls_total=falls[0].falls_total if falls else 0,
    )

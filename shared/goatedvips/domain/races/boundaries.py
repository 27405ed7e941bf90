"""Boundaries: the feed that counts as the state of all accounts at the instant at which a race starts or ends."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select

from goatedvips.models.races import race_boundaries
from goatedvips.models.wagers import feeds


def boundary_feed(instant: ColumnElement[datetime]) -> ColumnElement[Any]:
    """Return an expression for the id of an instant's boundary feed; null if there is none yet.

    It is the feed that a settlement has fixed for the instant. If none has, it is the first whole feed that was
    requested at the instant or later and does not say that it is older.
    """
    fixed = (
        select(race_boundaries.c.feed_id)
        .where(race_boundaries.c.instant == instant, race_boundaries.c.fixed_at.is_not(None))
        .correlate_except(race_boundaries)
        .scalar_subquery()
    )
    first_whole = (
        select(feeds.c.id)
        .where(
            feeds.c.is_whole,
            feeds.c.requested_at >= instant,
            or_(feeds.c.last_updated.is_(None), feeds.c.last_updated >= instant),
        )
        .order_by(feeds.c.requested_at, feeds.c.key)
        .limit(1)
        .correlate_except(feeds)
        .scalar_subquery()
    )
    return func.coalesce(fixed, first_whole)

"""Wager races: list them and read one.

A race runs in the half-open window [start_date, end_date). Every answer computes the status from the clock;
`recurrence.advance` also writes it to the row each minute, for the legacy application.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from goatedvips.connections import Connection
from goatedvips.cursors import INSTANT, INTEGER, Cursors, Page
from goatedvips.domain.races import compiled_statements as statements
from goatedvips.errors import NotFound


@dataclass(frozen=True, slots=True)
class Race:
    """A race at an instant.

    Parameters
    ----------
    status: upcoming, live, completed or cancelled.
    prize_distribution: JSON; percent of the pool by rank, but any JSON in an adopted row.
    participants: how many members take part.
    """

    id: int
    title: str
    type: str
    status: str
    prize_pool: Decimal
    start_date: datetime
    end_date: datetime
    min_wager: Decimal
    prize_distribution: object
    rules: str | None
    description: str | None
    participants: int


BY_START = Cursors(
    {"wager_races.start_date": INSTANT, "wager_races.id": INTEGER}, ascending=False, names=("start_date", "id")
)
"""The cursors of the list of races."""
_PAGES = {
    None: statements.SELECT_RACES,
    "upcoming": statements.SELECT_UPCOMING_RACES,
    "live": statements.SELECT_LIVE_RACES,
    "completed": statements.SELECT_COMPLETED_RACES,
    "cancelled": statements.SELECT_CANCELLED_RACES,
}


def newest(
    connection: Connection[Any], status: str | None, *, limit: int, cursor: str | None, now: datetime
) -> Page[Race]:
    """A page of the races. The race with the latest start comes first.

    Parameters
    ----------
    status: only races of this status; None: all races.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    """
    rows = connection.execute(_PAGES[status], {"now": now, **BY_START.parameters(limit, cursor)}).all()
    page, next_cursor = BY_START.cut(rows, limit)
    return Page([race_of(row) for row in page], next_cursor)


def get(connection: Connection[Any], race_id: int, *, now: datetime) -> Race:
    """One race.

    Raises
    ------
    NotFound
    """
    row = connection.execute(statements.SELECT_RACE, {"race_id": race_id, "now": now}).one_or_none()
    if row is None:
        raise NotFound
    return race_of(row)


def race_of(row: object) -> Race:
    """Make a race of a row that has its columns, and perhaps others."""
    return Race(**{name: getattr(row, name) for name in Race.__dataclass_fields__})

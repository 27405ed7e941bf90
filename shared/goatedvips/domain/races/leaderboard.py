"""The leaderboard of a race. It reads the participants' ranks, which each reading of the feed brings."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from goatedvips.connections import Connection
from goatedvips.cursors import INTEGER, Cursors, Page
from goatedvips.domain.races.compiled_statements import SELECT_FIRST_PAGE, SELECT_LATER_PAGE
from goatedvips.errors import NotFound

if TYPE_CHECKING:
    from sqlalchemy import Row

STALE_AFTER = timedelta(minutes=30)  # three readings of the feed

BY_PLACE = Cursors(
    {"wager_race_participants.rank": INTEGER, "wager_race_participants.id": INTEGER},
    ascending=True,
    names=("place", "id"),
)
"""The cursors of a leaderboard."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A participant's place in a race.

    Parameters
    ----------
    rank: from 1; None: not ranked.
    user_id, username: None if the member hides their name.
    total_wager: US dollars wagered within the race.
    """

    rank: int | None
    user_id: int | None
    username: str | None
    total_wager: Decimal


@dataclass(frozen=True, slots=True)
class Leaderboard(Page[Standing]):
    """A page of a leaderboard.

    Parameters
    ----------
    as_of: when the feed was requested that the ranks come from; None: none has been read for this race yet.
    stale: whether the readings of the last 30 minutes are missing.
    """

    as_of: datetime | None
    stale: bool


def get_page(
    connection: Connection[Any], race_id: int, *, limit: int, cursor: str | None, now: datetime
) -> Leaderboard:
    """A page of the participants: first those with a rank, by rank; then those without one, by the time they joined.

    Raises
    ------
    NotFound
    ValidationFailed: the cursor is not one of this list.
    """
    statement = SELECT_FIRST_PAGE if cursor is None else SELECT_LATER_PAGE
    rows = connection.execute(statement, {"race_id": race_id, **BY_PLACE.parameters(limit, cursor)}).all()
    if not rows:
        raise NotFound
    page, next_cursor = BY_PLACE.cut([row for row in rows if row.id is not None], limit)
    standings = [Standing(row.rank, row.user_id, row.username, row.total_wager) for row in page]
    return Leaderboard(standings, next_cursor, as_of=rows[0].as_of, stale=is_stale(rows[0], now))


def is_stale(race: "Row[Any]", now: datetime) -> bool:
    """Whether the ranks of a race lack the readings of the last 30 minutes.

    They do not if the race has not started, is cancelled or settled, or has the reading that ends it.

    Parameters
    ----------
    race: a row with the columns of `leaderboard_statements.FRESHNESS`.
    """
    if race.start_date > now or race.cancelled_at is not None or race.settled_at is not None:
        return False
    if race.as_of is not None and race.as_of >= race.end_date:
        return False
    newest: datetime = race.as_of or race.start_date
    return now - newest > STALE_AFTER

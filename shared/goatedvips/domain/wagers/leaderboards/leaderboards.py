"""The community's leaderboards: members by what they have wagered today, this week, this month, or ever.

The figures are those of the affiliate's feed. Members who are excluded or suspended are left out.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from goatedvips.compiled import Compiled
from goatedvips.connections import Connection
from goatedvips.cursors import INTEGER, Cursors, Page
from goatedvips.domain.races.leaderboard import STALE_AFTER
from goatedvips.domain.wagers.leaderboards import compiled_statements as statements

type Period = Literal["today", "week", "month", "all_time"]

_UNIT = Decimal("0.00000001")  # a cursor has a figure as a number of these, below zero: the highest comes first


class _Board(NamedTuple):
    first_page: Compiled
    later_page: Compiled
    cursors: Cursors


def _board(period: Period, first_page: Compiled, later_page: Compiled) -> _Board:
    columns = {"wager_accounts.figure": INTEGER, "wager_accounts.id": INTEGER, "rank": INTEGER}
    names = ("place", "account_id", "rank")
    return _Board(first_page, later_page, Cursors(columns, ascending=True, names=names, list_name=period))


BOARDS: dict[Period, _Board] = {
    "today": _board("today", statements.SELECT_FIRST_PAGE_OF_TODAY, statements.SELECT_LATER_PAGE_OF_TODAY),
    "week": _board("week", statements.SELECT_FIRST_PAGE_OF_WEEK, statements.SELECT_LATER_PAGE_OF_WEEK),
    "month": _board("month", statements.SELECT_FIRST_PAGE_OF_MONTH, statements.SELECT_LATER_PAGE_OF_MONTH),
    "all_time": _board("all_time", statements.SELECT_FIRST_PAGE_OF_ALL_TIME, statements.SELECT_LATER_PAGE_OF_ALL_TIME),
}
"""The statements and the cursors of each leaderboard."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A member's place on a leaderboard.

    Parameters
    ----------
    rank: from 1. Of members who have wagered the same, the one who has been a member for longer comes first.
    user_id, username: None if the member hides their name.
    wagered: US dollars.
    """

    rank: int
    user_id: int | None
    username: str | None
    wagered: Decimal


@dataclass(frozen=True, slots=True)
class Leaderboard(Page[Standing]):
    """A page of a leaderboard.

    Parameters
    ----------
    as_of: when the newest feed was requested; None: none has been read yet.
    stale: whether the readings of the last 30 minutes are missing.
    """

    as_of: datetime | None
    stale: bool


def get_page(
    connection: Connection[Any], period: Period, *, limit: int, cursor: str | None, now: datetime
) -> Leaderboard:
    """Return a page of the members who have wagered anything in a period, the highest figure first.

    Raises
    ------
    ValidationFailed: the cursor is not one of this leaderboard.
    """
    board = BOARDS[period]
    statement = board.first_page if cursor is None else board.later_page
    rows = connection.execute(statement, board.cursors.parameters(limit, cursor)).all()
    as_of = rows[0].as_of
    members = [row for row in rows if row.account_id is not None]
    page = members[:limit]
    standings = [Standing(row.rank, row.user_id, row.username, row.wagered) for row in page]
    next_cursor = None
    if len(members) > limit:
        last = page[-1]
        key = {"place": -int(last.wagered / _UNIT), "account_id": last.account_id, "rank": last.rank}
        next_cursor = board.cursors.cursor_after(key)
    return Leaderboard(standings, next_cursor, as_of, stale=as_of is None or now - as_of > STALE_AFTER)

"""The leaderboard of a race. It reads the participants' ranks, which each reading of the feed brings."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    Subquery,
    bindparam,
    case,
    func,
    literal,
    select,
    union_all,
)

from goatedvips.domain.first_statements import compile_at_import
from goatedvips.domain.pagination import PAGE_ROWS, Keyset, Page
from goatedvips.domain.races.freshness import FRESHNESS, WITH_BOARD_FEED, is_stale
from goatedvips.domain.races.races import RACE_ID
from goatedvips.errors import NotFound
from goatedvips.models.accounts import users
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races


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


# The place of all participants without a rank. It is behind every rank, since the column cannot hold it.
_UNRANKED = 2**31
BY_PLACE = Keyset(participants.c.rank, participants.c.id, ascending=True, names=("place", "id"))
"""The order of a leaderboard: the ranked by their rank, then the unranked in the order in which they joined."""
_AFTER_PLACE = bindparam("after_place", type_=BigInteger)
_AFTER_ID = bindparam("after_id", type_=BigInteger)
_LAST_UNRANKED_ID = case((_AFTER_PLACE >= _UNRANKED, _AFTER_ID), else_=0)
_select_participants = (
    select(
        participants.c.id,
        participants.c.race_id,
        users.c.id.label("user_id"),
        users.c.username,
        users.c.hide_name,
        participants.c.rank,
        participants.c.total_wager,
        func.coalesce(participants.c.rank.cast(BigInteger), literal(_UNRANKED, BigInteger)).label("place"),
    )
    .outerjoin(users, users.c.id == participants.c.user_id)
    .where(participants.c.race_id == RACE_ID, participants.c.is_listed)
    .limit(PAGE_ROWS)
)
# The index has this order.  PostgreSQL plans one scan in half the time of two, so the first page has its own statement.
_first_page = _select_participants.order_by(participants.c.rank, participants.c.id).subquery("page")
# Two index range scans: PostgreSQL cannot use one index condition for `rank > x OR rank IS NULL`.  The second one also
# sorts by the rank, which is null, because that is the index's order; by the id only, it would read other races too.
_later_page = union_all(
    _select_participants.where(BY_PLACE.is_after).order_by(*BY_PLACE.order),
    _select_participants.where(participants.c.rank.is_(None), participants.c.id > _LAST_UNRANKED_ID).order_by(
        participants.c.rank, participants.c.id
    ),
).subquery("page")


def _standings_of(page: Subquery) -> Select[Any]:
    """Return the statement of a page.

    The outer join keeps the race's row if the page has no participants. So no row at all means that there is no such
    race.
    """
    return (
        select(
            page.c.id,
            page.c.place,
            page.c.rank,
            case((~page.c.hide_name, page.c.user_id)).label("user_id"),
            case((~page.c.hide_name, page.c.username)).label("username"),
            page.c.total_wager,
            *FRESHNESS,
        )
        .select_from(WITH_BOARD_FEED)
        .outerjoin(page, page.c.race_id == races.c.id)
        .where(races.c.id == RACE_ID)
        .order_by(page.c.place, page.c.id)
        .limit(PAGE_ROWS)
    )


_select_first_page, _select_later_page = _standings_of(_first_page), _standings_of(_later_page)
compile_at_import(_select_first_page, {*BY_PLACE.parameters(1, None), "race_id"})


def get_page(connection: Connection, race_id: int, *, limit: int, cursor: str | None, now: datetime) -> Leaderboard:
    """A page of the participants: first those with a rank, by rank; then those without one, by the time they joined.

    Raises
    ------
    NotFound
    ValidationFailed: the cursor is not one of this list.
    """
    statement = _select_first_page if cursor is None else _select_later_page
    rows = connection.execute(statement, {"race_id": race_id, **BY_PLACE.parameters(limit, cursor)}).all()
    if not rows:
        raise NotFound
    page, next_cursor = BY_PLACE.cut([row for row in rows if row.id is not None], limit)
    standings = [Standing(row.rank, row.user_id, row.username, row.total_wager) for row in page]
    return Leaderboard(standings, next_cursor, as_of=rows[0].as_of, stale=is_stale(rows[0], now))

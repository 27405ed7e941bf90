"""The statements that read a page of a leaderboard, and as of when its ranks are."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    func,
    literal,
    select,
    true,
    tuple_,
    union_all,
)

from goatedvips.domain.pagination import PAGE_ROWS, Keyset
from goatedvips.domain.races import boards
from goatedvips.domain.races.race_statements import RACE_ID
from goatedvips.domain.races.scores import FENCE
from goatedvips.models.accounts import users
from goatedvips.models.races import race_board_blocks as blocks
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races
from goatedvips.models.wagers import feeds

# A scalar subquery: PostgreSQL plans it in less time than another join.
_as_of = select(feeds.c.requested_at).where(feeds.c.id == races.c.board_feed_id).correlate(races).scalar_subquery()
FRESHNESS = (
    _as_of.label("as_of"),
    races.c.start_date,
    races.c.end_date,
    races.c.settled_at,
    races.c.cancelled_at,
)
"""What `is_stale` reads of a race: when the feed was requested that its ranks come from, and its times."""

# The place of all participants without a rank. It is behind every rank, since the column cannot hold it.
_UNRANKED = 2**31
BY_PLACE = Keyset(participants.c.rank, participants.c.id, ascending=True, names=("place", "id"))
"""The order of a leaderboard: the ranked by their rank, then the unranked in the order in which they joined."""
_AFTER_PLACE = bindparam("after_place", type_=BigInteger)
_AFTER_ID = bindparam("after_id", type_=BigInteger)
_LAST_UNRANKED_ID = case((_AFTER_PLACE >= _UNRANKED, _AFTER_ID), else_=0)
_MOST_BLOCKS = 3  # the rest of one, and two for a page of 100 with the row that tells whether another page follows
_NAME = (users.c.id.label("user_id"), users.c.username, users.c.hide_name)


def _columns(row: FromClause) -> list[ColumnElement[Any]]:
    place = func.coalesce(row.c.rank.cast(BigInteger), literal(_UNRANKED, BigInteger))
    return [row.c.id, row.c.race_id, *_NAME, row.c.rank, row.c.total_wager, place.label("place")]


def _select_placed(*, is_first: bool) -> Select[Any]:
    """Return a select of the participants in blocks of the race, up to a page of them."""
    chosen = select(blocks).where(blocks.c.race_id == RACE_ID)
    if not is_first:
        chosen = chosen.where(tuple_(blocks.c.last_rank, blocks.c.last_id) > tuple_(_AFTER_PLACE, _AFTER_ID))
    chosen = chosen.order_by(blocks.c.last_rank, blocks.c.last_id).limit(_MOST_BLOCKS)
    placed = boards.participants_of(chosen.subquery("block"), beyond=None if is_first else _AFTER_ID)
    # A fence: the participants are read one by one, and no more of them than the page has.
    row = (
        select(participants)
        .where(participants.c.id == placed.c.id, participants.c.is_placed, participants.c.is_listed)
        .offset(FENCE)
        .lateral("row")
    )
    return (
        select(*_columns(row))
        .select_from(placed)
        .join(row, true())
        .outerjoin(users, users.c.id == row.c.user_id)
        # The participant after whom the page begins may stand in another block by now.
        .where(true() if is_first else BY_PLACE.has_passed(row.c.rank, row.c.id))
        .order_by(placed.c.last_rank, placed.c.last_id, placed.c.place)
        .limit(PAGE_ROWS)
    )


# The order of `wager_race_participants_unplaced_idx`. Sorted only by the id, other races would be read too.
_select_unplaced = (
    select(*_columns(participants))
    .outerjoin(users, users.c.id == participants.c.user_id)
    .where(participants.c.race_id == RACE_ID, participants.c.is_listed, ~participants.c.is_placed)
    .order_by(participants.c.unplaced_rank, participants.c.id)
    .limit(PAGE_ROWS)
)
# PostgreSQL plans fewer scans in less time, so the first page has its own statement.
_first_page = union_all(_select_placed(is_first=True), _select_unplaced).subquery("page")
_is_after_rank = BY_PLACE.has_passed(participants.c.unplaced_rank, participants.c.id)
_is_after_unranked = and_(participants.c.unplaced_rank.is_(None), participants.c.id > _LAST_UNRANKED_ID)
# PostgreSQL cannot use one index condition for `rank > x OR rank IS NULL`.
_later_page = union_all(
    _select_placed(is_first=False),
    _select_unplaced.where(_is_after_rank),
    _select_unplaced.where(_is_after_unranked),
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
        .select_from(races)
        .outerjoin(page, page.c.race_id == races.c.id)
        .where(races.c.id == RACE_ID)
        .order_by(page.c.place, page.c.id)
        .limit(PAGE_ROWS)
    )


select_first_page = _standings_of(_first_page)
select_later_page = _standings_of(_later_page)

"""The statements that read a page of a leaderboard, and as of when its ranks are."""

from typing import Any

from sqlalchemy import BigInteger, Select, Subquery, bindparam, case, func, literal, select, union_all

from goatedvips.domain.pagination import PAGE_ROWS, Keyset
from goatedvips.domain.races.race_statements import RACE_ID
from goatedvips.models.accounts import users
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
        .select_from(races)
        .outerjoin(page, page.c.race_id == races.c.id)
        .where(races.c.id == RACE_ID)
        .order_by(page.c.place, page.c.id)
        .limit(PAGE_ROWS)
    )


select_first_page = _standings_of(_first_page)
select_later_page = _standings_of(_later_page)

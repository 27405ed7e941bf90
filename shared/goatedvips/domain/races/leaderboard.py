"""How a race stands: ranks are worked out where the totals come in, and only read here."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, bindparam, case, func, literal, select, union_all

from goatedvips.domain.pagination import PAGE_ROWS, Keyset, Page
from goatedvips.domain.races.races import RACE_ID
from goatedvips.errors import NotFound
from goatedvips.models.accounts import users
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races


@dataclass(frozen=True, slots=True)
class Standing:
    """A participant's place; without a name where the member hides it."""

    id: int
    rank: int | None
    user_id: int | None
    username: str | None
    total_wager: Decimal


# The unranked stand behind all ranks, and no rank is this one: it does not fit the column.
_UNRANKED = 2**31
_BY_PLACE = Keyset(participants.c.rank, participants.c.id, ascending=True, names=("place", "id"))
_AFTER_PLACE = bindparam("after_place", type_=BigInteger)
_AFTER_ID = bindparam("after_id", type_=BigInteger)
_LAST_UNRANKED_ID = case((_AFTER_PLACE >= _UNRANKED, _AFTER_ID), else_=0)
_in_race = (
    select(
        participants.c.id,
        participants.c.race_id,
        participants.c.user_id,
        participants.c.rank,
        participants.c.total_wager,
    )
    .where(participants.c.race_id == RACE_ID, participants.c.member_key.is_not(None))
    .limit(PAGE_ROWS)
)
# Two index range scans: PostgreSQL cannot use one index condition for `rank > x OR rank IS NULL`.
_part = union_all(
    _in_race.where(_BY_PLACE.is_after).order_by(*_BY_PLACE.order),
    _in_race.where(participants.c.rank.is_(None), participants.c.id > _LAST_UNRANKED_ID).order_by(participants.c.id),
).subquery("part")
# The race's row is there without participants too: nothing at all means that there is no such race.
_standings = (
    select(
        _part.c.id,
        _part.c.rank,
        case((~users.c.hide_name, users.c.id)).label("user_id"),
        case((~users.c.hide_name, users.c.username)).label("username"),
        _part.c.total_wager,
        func.coalesce(_part.c.rank.cast(BigInteger), literal(_UNRANKED, BigInteger)).label("place"),
    )
    .select_from(races)
    .outerjoin(_part, _part.c.race_id == races.c.id)
    .outerjoin(users, users.c.id == _part.c.user_id)
    .where(races.c.id == RACE_ID)
    .order_by(_part.c.rank.asc().nulls_last(), _part.c.id)
    .limit(PAGE_ROWS)
)


def page(connection: Connection, race_id: int, *, limit: int, cursor: str | None) -> Page[Standing]:
    """The participants by rank, then those without one; of who hides their name neither name nor id.

    Raises
    ------
    NotFound
    ValidationFailed: the cursor is none of this list.
    """
    rows = connection.execute(_standings, {"race_id": race_id} | _BY_PLACE.parameters(limit, cursor)).all()
    if not rows:
        raise NotFound
    standings, next_cursor = _BY_PLACE.cut([row for row in rows if row.id is not None], limit)
    return Page([_standing(row) for row in standings], next_cursor)


def _standing(row: Row[Any]) -> Standing:
    return Standing(id=row.id, rank=row.rank, user_id=row.user_id, username=row.username, total_wager=row.total_wager)

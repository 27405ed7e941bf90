"""How a race stands: ranks are worked out where the totals come in, and only read here."""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import BigInteger, Connection, bindparam, case, select, tuple_, union_all

from goatedvips.domain import pagination
from goatedvips.domain.pagination import Page
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
_FIRST = (-_UNRANKED, 0)
_AFTER_RANK = bindparam("after_rank", type_=BigInteger)
_AFTER_ID = bindparam("after_id", type_=BigInteger)
_AFTER_UNRANKED_ID = bindparam("after_unranked_id", type_=BigInteger)
_in_race = (
    select(
        participants.c.id,
        participants.c.race_id,
        participants.c.user_id,
        participants.c.rank,
        participants.c.total_wager,
    )
    .where(participants.c.race_id == RACE_ID, participants.c.member_key.is_not(None))
    .limit(bindparam("limit"))
)
# Two walks along the index, because no one comparison says "behind this rank, or unranked" so that it helps a search.
_part = union_all(
    _in_race.where(tuple_(participants.c.rank, participants.c.id) > tuple_(_AFTER_RANK, _AFTER_ID)).order_by(
        participants.c.rank, participants.c.id
    ),
    _in_race.where(participants.c.rank.is_(None), participants.c.id > _AFTER_UNRANKED_ID).order_by(participants.c.id),
).subquery("part")
# The race's row is there without participants too: nothing at all means that there is no such race.
_standings = (
    select(
        _part.c.id,
        _part.c.rank,
        case((~users.c.hide_name, users.c.id)).label("user_id"),
        case((~users.c.hide_name, users.c.username)).label("username"),
        _part.c.total_wager,
    )
    .select_from(races)
    .outerjoin(_part, _part.c.race_id == races.c.id)
    .outerjoin(users, users.c.id == _part.c.user_id)
    .where(races.c.id == RACE_ID)
    .order_by(_part.c.rank.asc().nulls_last(), _part.c.id)
    .limit(bindparam("limit"))
)


def page(connection: Connection, race_id: int, *, limit: int, cursor: str | None) -> Page[Standing]:
    """The participants by rank, then those without one; of who hides their name neither name nor id.

    Raises
    ------
    NotFound
    ValidationFailed: the cursor is none of this list.
    """
    rank, participant_id = pagination.position(cursor, *_FIRST)
    position = {
        "after_rank": rank,
        "after_id": participant_id,
        "after_unranked_id": participant_id if rank >= _UNRANKED else 0,
    }
    rows = connection.execute(_standings, position | {"race_id": race_id, "limit": limit + 1}).all()
    if not rows:
        raise NotFound
    standings = [Standing(*row) for row in rows if row.id is not None]
    return pagination.page(standings, limit, key=lambda part: (_UNRANKED if part.rank is None else part.rank, part.id))

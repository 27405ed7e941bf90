"""Participation: who takes part in a race, once each."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    Connection,
    exists,
    false,
    literal,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain import access
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.domain.races.races import RACE_ID
from goatedvips.errors import NotFound, RaceClosed
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races


@dataclass(frozen=True, slots=True)
class Participation:
    """A member's part in a race, and whether it was made now."""

    race_id: int
    user_id: int
    joined_at: datetime
    total_wager: Decimal
    rank: int | None
    created: bool


_player = access.player()
_open_race = (
    select(races.c.id)
    .where(races.c.id == RACE_ID, races.c.end_date > NOW, races.c.cancelled_at.is_(None), races.c.settled_at.is_(None))
    .cte("race")
)
_participation = (
    participants.c.race_id,
    participants.c.user_id,
    participants.c.joined_at,
    participants.c.total_wager,
    participants.c.rank,
)
_mine = participants.c.race_id == RACE_ID, participants.c.member_key == CALLER_ID
# The unique (race, member) decides.
_joined = (
    upsert(participants)
    .from_select(
        ["race_id", "user_id", "member_key", "total_wager", "joined_at", "updated_at"],
        select(_open_race.c.id, _player.c.id, _player.c.id, literal(0), NOW, NOW)
        .select_from(_player)
        .join(_open_race, true())
        .where(~exists().where(*_mine)),
    )
    .on_conflict_do_nothing(index_elements=["race_id", "member_key"])
    .returning(*_participation)
    .cte("joined")
)
_first = select(*_participation, false().label("created")).where(*_mine).subquery("first")
_join = union_all(select(_joined, true().label("created")), select(_first).join(_player, true())).execution_options(
    commit_in_flight=True
)
_found = select(*_first.c).select_from(races).outerjoin(_first, true()).where(races.c.id == RACE_ID)


def join(connection: Connection, caller: Caller, race_id: int, *, now: datetime) -> Participation:
    """Let the member take part, once; who does already gets their first participation, also after the race has ended.

    Raises
    ------
    NotFound
    RaceClosed: it has ended, was cancelled or is settled.
    Unauthenticated, AccountSuspended, SelfExcluded, EmailUnverified
    """
    parameters = caller.parameters(now) | {"race_id": race_id}
    row = connection.execute(_join, parameters).one_or_none()
    if row is not None:
        return Participation(*row)
    access.explain(connection, caller, now=now, playing=True)
    row = connection.execute(_found, parameters).one_or_none()
    if row is None:
        raise NotFound
    if row.joined_at is None:
        raise RaceClosed
    return Participation(*row)  # another request of theirs came first, at the same moment

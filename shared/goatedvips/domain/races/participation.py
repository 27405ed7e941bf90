"""Participation: a member joins a race, at most once, and can leave it before it starts."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    Connection,
    delete,
    exists,
    false,
    literal,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain import access
from goatedvips.domain.access import CALLER_ID, CALLER_PARAMETERS, NOW, Caller
from goatedvips.domain.first_statements import compile_at_import
from goatedvips.domain.races.races import RACE_ID
from goatedvips.errors import NotFound, RaceClosed, RaceFrozen
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races


@dataclass(frozen=True, slots=True)
class Participation:
    """A member's participation in a race.

    Parameters
    ----------
    total_wager: US dollars wagered within the race.
    rank: from 1; None: not ranked.
    created: whether this call made it; otherwise it existed before.
    """

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
_columns = (
    participants.c.race_id,
    participants.c.user_id,
    participants.c.joined_at,
    participants.c.total_wager,
    participants.c.rank,
)
_IS_CALLERS = participants.c.race_id == RACE_ID, participants.c.member_key == CALLER_ID
# The unique key (race_id, member_key) decides.
_insert_participation = (
    upsert(participants)
    .from_select(
        ["race_id", "user_id", "member_key", "total_wager", "joined_at", "updated_at"],
        select(_open_race.c.id, _player.c.id, _player.c.id, literal(0), NOW, NOW)
        .select_from(_player)
        .join(_open_race, true())
        .where(~exists().where(*_IS_CALLERS)),
    )
    .on_conflict_do_nothing(index_elements=["race_id", "member_key"])
    .returning(*_columns)
    .cte("joined")
)
_existing = select(*_columns, false().label("created")).where(*_IS_CALLERS).subquery("existing")
_join_race = union_all(
    select(_insert_participation, true().label("created")), select(_existing).join(_player, true())
).execution_options(commit_in_flight=True)
compile_at_import(_join_race, CALLER_PARAMETERS | {"race_id"})
_select_race_and_participation = (
    select(*_existing.c).select_from(races).outerjoin(_existing, true()).where(races.c.id == RACE_ID)
)


def join(connection: Connection, caller: Caller, race_id: int, *, now: datetime) -> Participation:
    """Let the member join the race. A member who has joined gets their participation again, also after the race's end.

    Raises
    ------
    NotFound
    RaceClosed: the race has ended, was cancelled or is settled.
    Unauthenticated, AccountSuspended, SelfExcluded, EmailUnverified
    """
    parameters = caller.parameters(now) | {"race_id": race_id}
    row = access.one_or_none(connection, _join_race, caller, parameters, now=now, playing=True)
    if row is None:  # the race is not open, or the member joined it in a concurrent request
        row = connection.execute(_select_race_and_participation, parameters).one_or_none()
    if row is None:
        raise NotFound
    if row.joined_at is None:
        raise RaceClosed
    return Participation(**row._mapping)


_leaver = access.member()
_joined_race = (
    select(races.c.id, (races.c.start_date <= NOW).label("has_started"))
    .select_from(_leaver)
    .join(races, races.c.id == RACE_ID)
    .where(exists().where(*_IS_CALLERS))
    .cte("race")
)
# All rows of the member: the legacy application may have made several.
_delete_participation = (
    delete(participants)
    .where(
        participants.c.race_id == _joined_race.c.id, participants.c.user_id == CALLER_ID, ~_joined_race.c.has_started
    )
    .cte("left")
)
_leave_race = select(_joined_race.c.has_started).add_cte(_delete_participation).execution_options(commit_in_flight=True)


def leave(connection: Connection, caller: Caller, race_id: int, *, now: datetime) -> None:
    """Let the member leave a race that has not started.

    Raises
    ------
    NotFound: there is no such race, or the member has not joined it.
    RaceFrozen: the race has started.
    Unauthenticated, AccountSuspended
    """
    row = access.one_or_none(connection, _leave_race, caller, {"race_id": race_id}, now=now)
    if row is None:
        raise NotFound
    if row.has_started:
        raise RaceFrozen("A race that has started cannot be left")

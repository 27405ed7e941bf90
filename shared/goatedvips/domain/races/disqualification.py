"""Staff disqualify a participant of a race, or take that back, until the race is settled. Other places move at once."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Connection, Select, Text, bindparam, case, cast, null, select, update

from goatedvips.domain import access, audit
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.races import boards
from goatedvips.domain.races.scores import ranked, scored
from goatedvips.errors import NotFound, RaceFrozen, RaceSettled
from goatedvips.models.races import race_board_blocks
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races


@dataclass(frozen=True, slots=True)
class Participant:
    """A participant of a race, as staff see them.

    Parameters
    ----------
    rank: from 1; None: not ranked.
    total_wager: US dollars wagered within the race.
    disqualified_at: None: they are not disqualified.
    """

    race_id: int
    user_id: int
    rank: int | None
    total_wager: Decimal
    disqualified_at: datetime | None


# Not named as a column: SQLAlchemy would set the column to it.
_RACE_ID = bindparam("in_race", type_=races.c.id.type)
_DISQUALIFIED = bindparam("given_disqualified", type_=Boolean)
_IS_MEMBERS = (
    participants.c.race_id == _RACE_ID,
    participants.c.member_key == bindparam("member_id", type_=participants.c.member_key.type),
)
_HOLDS = participants.c.disqualified_at.is_not(None)
_staff = access.staff()
# The race first, as an ingest and a settlement do it: one that is in progress is waited for.
_lock_race: Select[Any] = (
    select(races.c.start_date, races.c.settled_at, races.c.cancelled_at)
    .select_from(_staff)
    .join(races, races.c.id == _RACE_ID)
    .with_for_update(of=races, key_share=True)
)
_before = (
    select(participants.c.id, _HOLDS.label("disqualified"), cast(null(), Text).label("reason"))
    .where(*_IS_MEMBERS, _HOLDS != _DISQUALIFIED)
    .cte("before")
)
_set_disqualified = (
    update(participants)
    .where(participants.c.id == _before.c.id)
    .values(disqualified_at=case((_DISQUALIFIED, NOW)), updated_at=NOW)
    .returning(
        participants.c.id,
        _DISQUALIFIED.label("disqualified"),
        bindparam("given_reason", type_=Text).label("reason"),
    )
    .cte("set_disqualified")
)
_change_participant = select(_set_disqualified.c.id).add_cte(
    audit.recorded("update_participant", _set_disqualified, _before)
)
_standings = ranked(scored(races.c.id == _RACE_ID)).cte("standings")
_move_places = (
    update(participants)
    .where(participants.c.id == _standings.c.participant_id, participants.c.rank.is_distinct_from(_standings.c.rank))
    .values(**boards.placed(_standings.c.rank), updated_at=NOW)
    .add_cte(boards.deleted_blocks(race_board_blocks.c.race_id == _RACE_ID))
)
_select_participant: Select[Any] = select(
    participants.c.race_id,
    participants.c.member_key.label("user_id"),
    participants.c.rank,
    participants.c.total_wager,
    participants.c.disqualified_at,
).where(*_IS_MEMBERS)
_select_moved_participant = _select_participant.add_cte(boards.inserted_blocks())


def change(
    connection: Connection,
    caller: Caller,
    race_id: int,
    member_id: int,
    *,
    disqualified: bool,
    reason: str,
    now: datetime,
) -> Participant:
    """Disqualify a participant or take that back, and rank the others anew. If it is so already, nothing changes.

    Parameters
    ----------
    reason: why; for the audit log.

    Raises
    ------
    NotFound: there is no such race, or the member has not joined it.
    RaceSettled
    RaceFrozen: the race is cancelled.
    Unauthenticated, AccountSuspended, Forbidden
    """
    given = {
        "in_race": race_id,
        "member_id": member_id,
        "given_disqualified": disqualified,
        "given_reason": reason,
    }
    race = access.one_or_none(connection, _lock_race, caller, given, now=now, staff=True)
    if race is None:
        raise NotFound
    if race.settled_at is not None:
        raise RaceSettled
    if race.cancelled_at is not None:
        raise RaceFrozen("Nobody is ranked in a cancelled race")
    changed = connection.execute(_change_participant, caller.parameters(now) | given).one_or_none()
    select_participant = _select_participant
    if changed is not None and race.start_date <= now:
        connection.execute(_move_places, {"in_race": race_id, "now": now})
        select_participant, given = _select_moved_participant, given | {"race_ids": [race_id]}
    row = connection.execute(select_participant, given).one_or_none()
    if row is None:
        raise NotFound
    return Participant(**row._mapping)

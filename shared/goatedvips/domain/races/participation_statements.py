"""The statements that `goatedvips.domain.races.participation` executes."""

from sqlalchemy import (
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
from goatedvips.domain.access import CALLER_ID, NOW
from goatedvips.domain.races.race_statements import RACE_ID
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races

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
join_race = union_all(
    select(_insert_participation, true().label("created")), select(_existing).join(_player, true())
).execution_options(commit_in_flight=True)
select_race_and_participation = (
    select(*_existing.c).select_from(races).outerjoin(_existing, true()).where(races.c.id == RACE_ID)
)
_leaver = access.member()
_joined_race = (
    select(
        races.c.id,
        (races.c.start_date <= NOW).label("has_started"),
        exists().where(*_IS_CALLERS, participants.c.disqualified_at.is_not(None)).label("is_disqualified"),
    )
    .select_from(_leaver)
    .join(races, races.c.id == RACE_ID)
    .where(exists().where(*_IS_CALLERS))
    .cte("race")
)
# All rows of the member: the legacy application may have made several.
_delete_participation = (
    delete(participants)
    .where(
        participants.c.race_id == _joined_race.c.id,
        participants.c.user_id == CALLER_ID,
        participants.c.disqualified_at.is_(None),
        ~_joined_race.c.has_started,
        ~_joined_race.c.is_disqualified,
    )
    .cte("left")
)
leave_race = (
    select(_joined_race.c.has_started, _joined_race.c.is_disqualified)
    .add_cte(_delete_participation)
    .execution_options(commit_in_flight=True)
)

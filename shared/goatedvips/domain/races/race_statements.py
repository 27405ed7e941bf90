"""The statements that list and read races, and the parts that other statements share with them."""

from typing import Any

from sqlalchemy import Select, Text, and_, any_, bindparam, case, func, literal, select

from goatedvips.domain.access import NOW
from goatedvips.domain.pagination import Keyset
from goatedvips.domain.races.participant_counts import PARTICIPANTS
from goatedvips.models.races import wager_races as races

RACE_ID = bindparam("race_id", type_=races.c.id.type)

status_by_clock = case(
    (races.c.cancelled_at.is_not(None), literal("cancelled", Text)),
    (races.c.start_date > NOW, literal("upcoming", Text)),
    (races.c.end_date > NOW, literal("live", Text)),
    else_=literal("completed", Text),
)
"""The status of a race at `now`. The column `status` may lag behind it."""

RACE_COLUMNS = (
    races.c.id,
    races.c.title,
    races.c.type,
    status_by_clock.label("status"),
    races.c.prize_pool,
    races.c.start_date,
    races.c.end_date,
    races.c.min_wager,
    races.c.prize_distribution,
    races.c.rules,
    races.c.description,
)
"""The columns of `Race` but for `participants`."""
BY_START = Keyset(races.c.start_date, races.c.id)
"""The order of the list of races: the one with the latest start first."""
_select_races: Select[*tuple[Any, ...]] = select(*RACE_COLUMNS, PARTICIPANTS.label("participants"))
_is_not_cancelled = races.c.cancelled_at.is_(None)
# An array, because otherwise PostgreSQL could read past races in the order of the list until it has met enough live
# ones, which would be all past races if an old one lives on.
_live_ids = func.array(
    select(races.c.id).where(_is_not_cancelled, races.c.end_date > NOW, races.c.start_date <= NOW).scalar_subquery()
)
# For each status a condition with an index of its own: a page reads no race of another status but the few live ones.
_is_upcoming = and_(_is_not_cancelled, races.c.start_date > NOW)
_is_live = races.c.id == any_(_live_ids)
_is_completed = and_(_is_not_cancelled, races.c.start_date <= NOW, races.c.end_date <= NOW)

select_races = BY_START.page_of(_select_races)
select_upcoming_races = BY_START.page_of(_select_races.where(_is_upcoming))
select_live_races = BY_START.page_of(_select_races.where(_is_live))
select_completed_races = BY_START.page_of(_select_races.where(_is_completed))
select_cancelled_races = BY_START.page_of(_select_races.where(races.c.cancelled_at.is_not(None)))
select_race = _select_races.where(races.c.id == RACE_ID)

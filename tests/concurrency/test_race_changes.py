"""Staff change or cancel a race while its successor is created, or while another request changes it."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from goatedvips.domain.access import Caller
from goatedvips.domain.races import changes, recurrence
from goatedvips.domain.races.races import Race
from goatedvips.errors import RaceFrozen
from tests.concurrency.together import at_once, run_behind
from tests.support.members import Members
from tests.support.races import END, START, Races

NOW = START + timedelta(days=3)


def work(members: Members, race_id: int, **given: Any) -> Callable[[sa.Connection], Race]:
    staff = members.staff()
    caller = Caller(staff.id, staff.session_id, "test")
    return partial(changes.change, caller=caller, race_id=race_id, given=given, now=NOW)


def test_the_end_does_not_move_while_the_successor_is_created(
    direct: str, members: Members, races: Races, database: sa.Engine
) -> None:
    races.remove_all()
    race_id = races.new(time_zone="UTC")
    moving = work(members, race_id, end_date=END + timedelta(days=1))
    refused = run_behind(database, direct, partial(recurrence.advance, legacy_app=False, now=NOW), moving)
    assert isinstance(refused, RaceFrozen), refused
    (successor,) = races.following(race_id)
    assert (races.row(race_id).end_date, successor.start_date) == (END, END)


def test_a_successor_waits_for_the_new_end(direct: str, members: Members, races: Races, database: sa.Engine) -> None:
    races.remove_all()
    race_id, later = races.new(time_zone="UTC"), END + timedelta(days=7)
    with database.connect() as holder:
        holder.execution_options(isolation_level="READ COMMITTED")
        work(members, race_id, end_date=later)(holder)
        (skipped,) = at_once(direct, [partial(recurrence.advance, legacy_app=False, now=NOW + timedelta(days=1))])
        assert isinstance(skipped, recurrence.Advance), skipped
        assert skipped.created == 0
        holder.commit()
    at_once(direct, [partial(recurrence.advance, legacy_app=False, now=later)])
    assert [successor.start_date for successor in races.following(race_id)] == [later]


def test_a_change_waits_for_a_cancellation(direct: str, members: Members, races: Races, database: sa.Engine) -> None:
    race_id, staff = races.new(), members.staff()
    caller = Caller(staff.id, staff.session_id, "test")
    cancelling = partial(changes.cancel, caller=caller, race_id=race_id, now=NOW)
    refused = run_behind(database, direct, cancelling, work(members, race_id, title="Another"))
    assert isinstance(refused, RaceFrozen), refused
    assert races.row(race_id).title == "June's first"


def test_of_two_rises_of_the_pool_the_higher_one_stays(
    direct: str, members: Members, races: Races, database: sa.Engine
) -> None:
    race_id = races.new()
    refused = run_behind(
        database, direct, work(members, race_id, prize_pool=900), work(members, race_id, prize_pool=700)
    )
    assert isinstance(refused, RaceFrozen), refused
    assert races.row(race_id).prize_pool == 900


def test_cancelling_twice_at_once_cancels_once(
    direct: str, members: Members, races: Races, database: sa.Engine
) -> None:
    race_id, staff = races.new(), members.staff()
    caller = Caller(staff.id, staff.session_id, "test")
    first = partial(changes.cancel, caller=caller, race_id=race_id, now=NOW)
    second = partial(changes.cancel, caller=caller, race_id=race_id, now=NOW + timedelta(seconds=1))
    again = run_behind(database, direct, first, second)
    assert isinstance(again, Race), again
    assert races.row(race_id).cancelled_at == NOW

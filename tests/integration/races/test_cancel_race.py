"""POST /v1/admin/races/{id}/cancellation: staff cancel a race that is not settled."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.operations import audit_log
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.races import END, START, Races

BEFORE, DURING, AFTER = START - timedelta(days=1), START + timedelta(days=1), END + timedelta(minutes=29)


def cancel(functions: Functions, race_id: object, by: Member, now: datetime = BEFORE) -> Answer:
    return functions.call("cancel_race", by=by, now=now, path=f"/v1/admin/races/{race_id}/cancellation")


def entries(database: sa.Engine, staff: Member) -> list[Any]:
    with database.connect() as connection:
        return list(connection.execute(sa.select(audit_log).where(audit_log.c.staff_id == staff.id)))


@pytest.mark.parametrize("now", [BEFORE, DURING, AFTER])
def test_a_race_is_cancelled_in_any_state_before_its_settlement(
    races: Races, members: Members, functions: Functions, now: datetime
) -> None:
    race_id = races.new()
    races.enter(race_id, members.new().id)
    answer = cancel(functions, race_id, members.staff(), now)
    assert (answer.status, answer.json["status"], answer.json["participants"]) == (200, "cancelled", 1)
    row = races.row(race_id)
    assert (row.cancelled_at, row.status, row.settled_at, row.updated_at) == (now, "cancelled", None, now)
    assert functions.call("get_race", path=f"/v1/races/{race_id}", now=now).json == answer.json
    assert functions.call("join_race", by=members.new(), now=now, path=f"/v1/races/{race_id}/participants").json[
        "code"
    ] == ("race_closed")


def test_cancelling_again_changes_nothing(
    races: Races, members: Members, functions: Functions, database: sa.Engine
) -> None:
    race_id, staff = races.new(), members.staff()
    first = cancel(functions, race_id, staff)
    before = races.row(race_id)
    again = cancel(functions, race_id, staff, AFTER)
    assert (again.status, again.json) == (200, first.json)
    assert races.row(race_id) == before
    (entry,) = entries(database, staff)
    assert (entry.action, entry.subject_id, entry.before) == ("cancel_race", race_id, None)
    assert (entry.request_id, entry.created_at) == (first.headers["X-Request-Id"], BEFORE)
    assert datetime.fromisoformat(entry.after["cancelled_at"] + "Z") == BEFORE


def test_a_settled_race_is_not_cancelled(
    races: Races, members: Members, functions: Functions, database: sa.Engine
) -> None:
    race_id, staff = races.new(settled_at=AFTER), members.staff()
    refused = cancel(functions, race_id, staff, AFTER + timedelta(days=1))
    assert (refused.status, refused.json["code"]) == (409, "race_settled")
    assert (races.row(race_id).cancelled_at, races.row(race_id).status) == (None, "upcoming")
    assert entries(database, staff) == []


def test_a_series_ends_with_its_last_race_cancelled(races: Races, members: Members, functions: Functions) -> None:
    races.remove_all()
    first = races.new(time_zone="UTC")
    assert cancel(functions, first, members.staff(), DURING).status == 200
    functions.invoke("advance_races", {"scheduled_time": END.isoformat()}, now=END)
    assert races.following(first) == []
    second = races.new(time_zone="UTC", start_date=START, end_date=END)
    functions.invoke("advance_races", {"scheduled_time": END.isoformat()}, now=END)
    (third,) = races.following(second)
    assert cancel(functions, second, members.staff(), END).status == 200
    assert races.row(third.id).cancelled_at is None, "its successor exists, so it stays"


def test_an_id_that_no_race_has_is_not_found(members: Members, functions: Functions) -> None:
    staff = members.staff()
    for race_id in (2**31 - 1, 2**31, 0, "one"):
        assert cancel(functions, race_id, staff).status == 404

"""PATCH /v1/admin/races/{id}: staff change a race, as far as it is not frozen."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.operations import audit_log
from goatedvips.models.races import wager_races
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.races import END, START, Races

BEFORE = datetime(2026, 5, 20, 12, tzinfo=UTC)
DURING = START + timedelta(days=2)
SECOND = timedelta(seconds=1)
LAST = END - SECOND


def change(functions: Functions, race_id: object, by: Member, now: datetime = BEFORE, **fields: Any) -> Answer:
    return functions.call("update_race", by=by, now=now, path=f"/v1/admin/races/{race_id}", body=fields)


def entries(database: sa.Engine, staff: Member) -> list[Any]:
    with database.connect() as connection:
        return list(connection.execute(sa.select(audit_log).where(audit_log.c.staff_id == staff.id)))


@pytest.mark.parametrize("now", [BEFORE, DURING])
def test_a_pool_that_is_no_number_gets_one_also_in_a_live_race(
    races: Races, members: Members, functions: Functions, database: sa.Engine, now: datetime
) -> None:
    race_id, staff = races.new(), members.staff()
    with database.connect() as connection:
        connection.execute(sa.update(wager_races).where(wager_races.c.id == race_id).values(prize_pool=Decimal("NaN")))
    assert change(functions, race_id, staff, now, prize_pool="600.00").json["prize_pool"] == "600.00"
    lower = change(functions, race_id, staff, now, prize_pool="599.99")
    assert lower.status == (200 if now == BEFORE else 409), "from then on it is a pool like any other"


def test_before_its_start_all_of_a_race_can_change(races: Races, members: Members, functions: Functions) -> None:
    race_id = races.new(rules="Old rules.", description="Old words.")
    fields: dict[str, Any] = {
        "title": "July's first",
        "rules": None,
        "prize_pool": "99.50",
        "start_date": "2026-07-01T02:00:00+02:00",
        "end_date": "2026-07-08T00:00:00Z",
        "min_wager": "0",
        "prize_distribution": {"1": 33.33},
    }
    answer = change(functions, race_id, members.staff(), **fields)
    assert answer.status == 200, answer.text
    assert answer.json == fields | {
        "id": race_id,
        "type": "weekly",
        "status": "upcoming",
        "start_date": "2026-07-01T00:00:00Z",
        "min_wager": "0.00",
        "description": "Old words.",
        "participants": 0,
    }
    assert functions.call("get_race", path=f"/v1/races/{race_id}", now=BEFORE).json == answer.json
    assert races.row(race_id).updated_at == BEFORE


def test_the_audit_log_records_what_differs(
    races: Races, members: Members, functions: Functions, database: sa.Engine
) -> None:
    race_id, staff = races.new(), members.staff()
    answer = change(functions, race_id, staff, title="July's first", min_wager="10.00", prize_distribution={"1": 60})
    (entry,) = entries(database, staff)
    assert (entry.action, entry.subject_id) == ("update_race", race_id)
    assert (entry.request_id, entry.created_at) == (answer.headers["X-Request-Id"], BEFORE)
    assert entry.before == {"title": "June's first", "prize_distribution": {"1": 50, "2": 30.5}}
    assert entry.after == {"title": "July's first", "prize_distribution": {"1": 60}}


def test_the_values_that_a_race_has_already_change_nothing_in_any_state(
    races: Races, members: Members, functions: Functions, database: sa.Engine
) -> None:
    race_id, staff = races.new(created_by=members.staff().id), members.staff()
    before = races.row(race_id)
    fields: dict[str, Any] = {
        "title": "June's first",
        "prize_pool": "500",
        "start_date": "2026-06-01T00:00:00Z",
        "end_date": "2026-06-08T00:00:00Z",
        "min_wager": "10",
        "prize_distribution": {"1": 5e1, "2": 30.50},
        "rules": None,
    }
    for now in (BEFORE, DURING, END):
        assert change(functions, race_id, staff, now, **fields).status == 200
    assert races.row(race_id) == before
    assert entries(database, staff) == []


def test_a_null_that_removes_nothing_changes_nothing(races: Races, members: Members, functions: Functions) -> None:
    race_id = races.new()
    answer = change(functions, race_id, members.staff(), title=None, prize_pool=None, end_date=None)
    assert (answer.status, answer.json["title"], answer.json["prize_pool"]) == (200, "June's first", "500.00")


@pytest.mark.parametrize(
    ("now", "fields"),
    [
        (START, {"start_date": "2026-06-01T00:00:01Z"}),
        (DURING, {"start_date": "2026-05-31T00:00:00Z"}),
        (START, {"min_wager": "10.01"}),
        (START, {"prize_distribution": {"1": 50, "2": 30.51}}),
        (START, {"prize_distribution": {"1": 50}}),
        (START, {"prize_pool": "499.99"}),
        (START, {"end_date": "2026-06-07T23:59:59Z"}),
        (END, {"prize_pool": "501"}),
        (END, {"end_date": "2026-06-09T00:00:00Z"}),
        (START, {"title": "Another", "min_wager": "1"}),
    ],
)
def test_what_is_frozen_does_not_change_once_the_race_is_live(
    races: Races, members: Members, functions: Functions, now: datetime, fields: dict[str, Any]
) -> None:
    race_id = races.new()
    before = races.row(race_id)
    refused = change(functions, race_id, members.staff(), now, **fields)
    assert (refused.status, refused.json["code"]) == (409, "race_frozen"), refused.text
    assert races.row(race_id) == before
    if now != END:
        a_moment_earlier = {name: value for name, value in fields.items() if name != "start_date"}
        if a_moment_earlier:
            assert change(functions, race_id, members.staff(), START - SECOND, **a_moment_earlier).status == 200


def test_in_a_live_race_the_pool_rises_and_the_end_moves_later(
    races: Races, members: Members, functions: Functions
) -> None:
    race_id = races.new()
    answer = change(functions, race_id, members.staff(), LAST, prize_pool="500.01", end_date="2026-06-08T00:00:01Z")
    assert (answer.status, answer.json["status"]) == (200, "live"), answer.text
    assert (races.row(race_id).prize_pool, races.row(race_id).end_date) == (Decimal("500.01"), END + SECOND)
    assert change(functions, race_id, members.staff(), END, prize_pool="501").status == 200, "it goes on until then"


def test_the_texts_change_until_the_race_is_settled(races: Races, members: Members, functions: Functions) -> None:
    race_id = races.new()
    for now in (DURING, END):
        title = f"As of {now:%d %B}"
        answer = change(functions, race_id, members.staff(), now, title=title, rules="New.", description="Words.")
        assert (answer.status, answer.json["title"], answer.json["rules"]) == (200, title, "New.")


@pytest.mark.parametrize(
    ("column", "code"), [("settled_at", "race_settled"), ("cancelled_at", "race_frozen")], ids=["settled", "cancelled"]
)
def test_a_settled_or_cancelled_race_does_not_change(
    races: Races, members: Members, functions: Functions, column: str, code: str
) -> None:
    race_id = races.new(**{column: BEFORE})
    refused = change(functions, race_id, members.staff(), title="Another")
    assert (refused.status, refused.json["code"]) == (409, code)
    assert races.row(race_id).title == "June's first"


def test_where_two_races_of_a_series_meet_does_not_move(races: Races, members: Members, functions: Functions) -> None:
    staff = members.staff()
    first = races.new(time_zone="UTC")
    second = races.new(time_zone="UTC", follows_id=first, start_date=END, end_date=END + timedelta(days=7))
    moves: list[tuple[int, dict[str, Any]]] = [
        (first, {"end_date": "2026-06-09T00:00:00Z"}),
        (first, {"end_date": "2026-06-07T00:00:00Z"}),
        (second, {"start_date": "2026-06-09T00:00:00Z"}),
    ]
    for race_id, fields in moves:
        before = races.row(race_id)
        refused = change(functions, race_id, staff, title="Another", **fields)
        assert (refused.status, refused.json["code"]) == (409, "race_frozen")
        assert races.row(race_id) == before
    assert change(functions, first, staff, start_date="2026-06-02T00:00:00Z", prize_pool="1").status == 200
    assert change(functions, second, staff, end_date="2026-06-16T00:00:00Z").status == 200


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"start_date": "2026-05-01T00:00:00Z", "end_date": "2026-05-20T12:00:00Z"}, "/end_date"),
        ({"end_date": "2026-06-01T00:00:00Z"}, "/end_date"),
        ({"start_date": "2026-06-08T00:00:00Z"}, "/start_date"),
        ({"title": " "}, "/title"),
        ({"prize_pool": "0"}, "/prize_pool"),
        ({"prize_pool": "100000000"}, "/prize_pool"),
        ({"prize_pool": 600}, "/prize_pool"),
        ({"min_wager": "-1"}, "/min_wager"),
        ({"prize_distribution": {"2": 50}}, "/prize_distribution"),
        ({"prize_distribution": {"1": 60, "2": 40.01}}, "/prize_distribution"),
        ({"end_date": "tomorrow"}, "/end_date"),
        ({"rules": "x" * 10_001}, "/rules"),
        ({"type": "monthly"}, "/type"),
        ({}, ""),
    ],
)
def test_an_invalid_change_is_refused(
    races: Races, members: Members, functions: Functions, fields: dict[str, Any], pointer: str
) -> None:
    refused = change(functions, races.new(), members.staff(), **fields)
    assert (refused.status, [error["pointer"] for error in refused.json["errors"]]) == (422, [pointer]), refused.text


def test_a_race_that_starts_earlier_than_now_is_live_at_once(
    races: Races, members: Members, functions: Functions
) -> None:
    answer = change(functions, races.new(), members.staff(), start_date="2026-05-20T12:00:00Z")
    assert (answer.status, answer.json["status"]) == (200, "live")


def test_an_id_that_no_race_has_is_not_found(members: Members, functions: Functions) -> None:
    staff = members.staff()
    for race_id in (2**31 - 1, 2**31, 0, "one"):
        assert change(functions, race_id, staff, title="Another").status == 404

"""POST /v1/admin/races: staff create a race."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.operations import audit_log
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.races import END, START, Races

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
BODY = {
    "title": "June's first",
    "type": "weekly",
    "prize_pool": "1000.00",
    "start_date": "2026-06-01T00:00:00Z",
    "end_date": "2026-06-08T00:00:00Z",
    "min_wager": "0",
    "prize_distribution": {"1": 50, "2": 30.5, "3": 19.5},
}


def create(functions: Functions, by: Member, now: datetime = NOW, **fields: Any) -> Answer:
    return functions.call("create_race", by=by, now=now, body=BODY | fields)


def pointers_of(answer: Answer) -> list[str]:
    assert answer.status == 422, answer.text
    return [error["pointer"] for error in answer.json["errors"]]


def test_a_race_is_created(races: Races, members: Members, functions: Functions) -> None:
    staff = members.staff()
    answer = create(functions, staff, rules="Play fair.")
    assert answer.status == 201
    race_id = answer.json["id"]
    assert answer.json == BODY | {
        "id": race_id,
        "status": "upcoming",
        "min_wager": "0.00",
        "rules": "Play fair.",
        "description": None,
        "participants": 0,
    }
    assert functions.call("get_race", path=f"/v1/races/{race_id}", now=NOW).json == answer.json
    row = races.row(race_id)
    assert (row.status, row.created_by, row.created_at, row.updated_at) == ("upcoming", staff.id, NOW, NOW)
    assert (row.start_date, row.end_date, row.time_zone, row.follows_id) == (START, END, None, None)


def test_the_audit_log_records_the_race(members: Members, functions: Functions, database: sa.Engine) -> None:
    staff = members.staff()
    answer = create(functions, staff)
    with database.connect() as connection:
        entry = connection.execute(sa.select(audit_log).where(audit_log.c.staff_id == staff.id)).one()
    assert (entry.action, entry.subject_id, entry.before) == ("create_race", answer.json["id"], None)
    assert (entry.request_id, entry.created_at) == (answer.headers["X-Request-Id"], NOW)
    assert entry.after["prize_pool"] == 1000
    assert entry.after["prize_distribution"] == BODY["prize_distribution"]


def test_percents_are_stored_as_exact_decimals(
    races: Races, members: Members, functions: Functions, database: sa.Engine
) -> None:
    written = json.dumps(BODY | {"prize_distribution": 0}).replace(
        '"prize_distribution": 0', '"prize_distribution": {"2": 33.33, "1": 5e1, "3": 0.01, "4": 16.660}'
    )
    answer = functions.call("create_race", by=members.staff(), now=NOW, raw=written)
    assert answer.status == 201, answer.text
    with database.connect() as connection:
        stored = connection.execute(
            sa.text("SELECT prize_distribution::text FROM wager_races WHERE id = :id"), {"id": answer.json["id"]}
        ).scalar_one()
    assert stored == '{"1": 50, "2": 33.33, "3": 0.01, "4": 16.66}'


@pytest.mark.parametrize(
    ("percents", "pointers"),
    [
        ({}, ["/prize_distribution"]),
        ([], ["/prize_distribution"]),
        (None, ["/prize_distribution"]),
        ({"1": 100, "2": 0.01}, ["/prize_distribution"]),
        ({"1": 60, "3": 30}, ["/prize_distribution"]),
        ({"0": 60, "1": 30}, ["/prize_distribution"]),
        ({"2": 60}, ["/prize_distribution"]),
        ({"01": 60}, ["/prize_distribution"]),
        ({"\u0661": 60}, ["/prize_distribution"]),
        ({"first": 60}, ["/prize_distribution"]),
        ({"1": 0}, ["/prize_distribution/1"]),
        ({"1": -1}, ["/prize_distribution/1"]),
        ({"1": 100.01}, ["/prize_distribution/1"]),
        ({"1": 50.125}, ["/prize_distribution/1"]),
        ({"1": "50"}, ["/prize_distribution/1"]),
        ({"1": True}, ["/prize_distribution/1"]),
        ({"1": None}, ["/prize_distribution/1"]),
        ({"1": [50]}, ["/prize_distribution/1"]),
        ({"1": 60, "2": False, "3": "x"}, ["/prize_distribution/2", "/prize_distribution/3"]),
    ],
)
def test_an_invalid_distribution_is_refused(
    members: Members, functions: Functions, percents: object, pointers: list[str]
) -> None:
    assert pointers_of(create(functions, members.staff(), prize_distribution=percents)) == pointers


@pytest.mark.parametrize("percent", ["1e400", "1e-400", "1e-999999"])
def test_a_percent_with_an_extreme_exponent_is_refused(members: Members, functions: Functions, percent: str) -> None:
    written = json.dumps(BODY).replace("30.5", percent)
    assert pointers_of(functions.call("create_race", by=members.staff(), now=NOW, raw=written)) == [
        "/prize_distribution/2"
    ]


def test_a_number_beyond_the_range_of_decimal_is_invalid_json(members: Members, functions: Functions) -> None:
    written = json.dumps(BODY).replace("30.5", "1e99999999999999999999")
    assert functions.call("create_race", by=members.staff(), now=NOW, raw=written).status == 400


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"title": ""}, ["/title"]),
        ({"title": "x" * 121}, ["/title"]),
        ({"title": "a\x00b"}, ["/title"]),
        ({"title": "\ud800"}, ["/title"]),
        ({"title": 7}, ["/title"]),
        ({"type": "daily"}, ["/type"]),
        ({"prize_pool": "0"}, ["/prize_pool"]),
        ({"prize_pool": "0.00"}, ["/prize_pool"]),
        ({"prize_pool": "-1"}, ["/prize_pool"]),
        ({"prize_pool": "100000000"}, ["/prize_pool"]),
        ({"prize_pool": "1.001"}, ["/prize_pool"]),
        ({"prize_pool": "NaN"}, ["/prize_pool"]),
        ({"prize_pool": 1000}, ["/prize_pool"]),
        ({"min_wager": "-0.01"}, ["/min_wager"]),
        ({"min_wager": "1" * 17}, ["/min_wager"]),
        ({"start_date": "2026-06-01T00:00:00"}, ["/start_date"]),
        ({"start_date": 1_780_272_000}, ["/start_date"]),
        ({"start_date": "2026-06-08T00:00:00Z"}, ["/end_date"]),
        ({"end_date": "2026-06-01T02:00:00+02:00"}, ["/end_date"]),
        ({"end_date": "9999-12-31T23:00:00-05:00"}, ["/end_date"]),
        ({"end_date": "infinity"}, ["/end_date"]),
        ({"rules": "x" * 10_001}, ["/rules"]),
        ({"description": "\x00"}, ["/description"]),
        ({"status": "live"}, ["/status"]),
        ({"repeat": {"type": "weekly", "time_zone": "Berlin"}}, ["/repeat/time_zone"]),
        ({"repeat": {"type": "weekly", "time_zone": "../../etc/passwd"}}, ["/repeat/time_zone"]),
        ({"repeat": {"type": "weekly", "time_zone": "Europe"}}, ["/repeat/time_zone"]),
        ({"repeat": {"type": "weekly", "time_zone": "localtime"}}, ["/repeat/time_zone"]),
        ({"repeat": {"type": "weekly", "time_zone": "\ud800"}}, ["/repeat/time_zone"]),
        ({"repeat": {"type": "weekly", "time_zone": ["UTC"]}}, ["/repeat/time_zone"]),
        ({"repeat": {"type": "monthly", "time_zone": "UTC"}}, ["/repeat"]),
        ({"repeat": {"type": "weekly"}}, ["/repeat/time_zone"]),
        ({"repeat": "weekly"}, ["/repeat"]),
    ],
)
def test_an_invalid_field_is_named_in_the_refusal(
    members: Members, functions: Functions, fields: dict[str, Any], pointers: list[str]
) -> None:
    assert pointers_of(create(functions, members.staff(), **fields)) == pointers


def test_the_largest_values_are_accepted(races: Races, members: Members, functions: Functions) -> None:
    answer = create(
        functions,
        members.staff(),
        title="e\u0301" * 120,
        prize_pool="99999999.99",
        min_wager="9" * 16 + ".99",
        rules="x" * 10_000,
        description="e\u0301" * 1000,
        end_date="9999-12-31T23:59:59.999999Z",
        prize_distribution={str(rank): 0.01 for rank in range(1, 2001)},
    )
    assert answer.status == 201, answer.text
    assert answer.json["title"] == "é" * 120
    assert answer.json["min_wager"] == "9" * 16 + ".99"
    assert races.row(answer.json["id"]).end_date.year == 9999


def test_the_start_may_have_passed_but_not_the_end(races: Races, members: Members, functions: Functions) -> None:
    begun = create(functions, members.staff(), now=START)
    assert (begun.status, begun.json["status"]) == (201, "live")
    assert races.row(begun.json["id"]).status == "live"
    assert create(functions, members.staff(), now=END - timedelta(microseconds=1)).status == 201
    assert pointers_of(create(functions, members.staff(), now=END)) == ["/end_date"]


def test_the_zone_of_a_repeating_race_is_stored(races: Races, members: Members, functions: Functions) -> None:
    repeat = {"type": "weekly", "time_zone": "America/New_York"}
    answer = create(functions, members.staff(), repeat=repeat)
    assert answer.status == 201
    assert races.row(answer.json["id"]).time_zone == "America/New_York"


def test_only_staff_create_races(members: Members, functions: Functions, database: sa.Engine) -> None:
    member, demoted = members.new(), members.staff()
    members.change(demoted, is_admin=False)
    for by in (member, demoted):
        refused = create(functions, by)
        assert (refused.status, refused.json["code"]) == (403, "forbidden")
    suspended, signed_out = members.staff(suspended_at=NOW), members.staff()
    members.end_session(signed_out)
    assert create(functions, suspended).json["code"] == "account_suspended"
    assert create(functions, signed_out).status == 401
    assert functions.call("create_race", body=BODY).status == 401
    with database.connect() as connection:
        staff_ids = [person.id for person in (member, demoted, suspended, signed_out)]
        assert connection.execute(sa.select(audit_log).where(audit_log.c.staff_id.in_(staff_ids))).all() == []


def test_two_requests_with_the_same_key_create_one_race(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    staff, key = members.staff(), {"idempotency-key": "june"}
    first, again = (functions.call("create_race", by=staff, now=NOW, body=BODY, headers=key) for _ in range(2))
    assert first.text == again.text
    with database.connect() as connection:
        assert len(connection.execute(sa.select(audit_log).where(audit_log.c.staff_id == staff.id)).all()) == 1


@pytest.mark.parametrize(
    "percents",
    [
        '{"1": 1e-999999999999999999}',
        '{"1": 1e-30000000}',
        '{"1": 50.0000000000000000000000000000001}',
        '{"1": 33.3300000000000000000000000000000000000001}',
        '{"1": 99.99, "2": 0.0100000000000000000000000000001}',
    ],
)
def test_a_percent_with_more_than_two_decimals_is_refused(
    members: Members, functions: Functions, percents: str
) -> None:
    raw = json.dumps(BODY | {"prize_distribution": None}).replace("null", percents, 1)
    refused = functions.call("create_race", by=members.staff(), now=NOW, raw=raw)
    assert refused.status == 422
    assert {error["pointer"].rpartition("/")[0] for error in refused.json["errors"]} == {"/prize_distribution"}


def test_a_percent_may_have_trailing_zeros(members: Members, functions: Functions) -> None:
    raw = json.dumps(BODY | {"prize_distribution": None}).replace("null", '{"1": 50.000000, "2": 3e1}', 1)
    answer = functions.call("create_race", by=members.staff(), now=NOW, raw=raw)
    assert answer.json["prize_distribution"] == {"1": 50, "2": 30}


@pytest.mark.parametrize(
    "instant",
    [
        "1893456000",
        "2026-06-09",
        "2026-06-09 00:00:00Z",
        "2026-06-09T00:00Z",
        "2026-06-09T00:00:00",
        "2026-06-09T00:00:00+0200",
    ],
)
def test_an_instant_that_is_not_rfc_3339_is_refused(members: Members, functions: Functions, instant: str) -> None:
    assert pointers_of(create(functions, members.staff(), end_date=instant)) == ["/end_date"]


@pytest.mark.parametrize("title", ["   ", "\u200b\u00ad", "\u3164", "June \u202eecar"])
def test_a_title_that_is_blank_or_changes_the_direction_of_text_is_refused(
    members: Members, functions: Functions, title: str
) -> None:
    assert pointers_of(create(functions, members.staff(), title=title)) == ["/title"]

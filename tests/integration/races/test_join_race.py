"""POST /v1/races/{id}/participants: a member joins a race."""

from copy import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.config import settings
from goatedvips.http import api
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.races import END, START, Races

LAST_MICROSECOND = END - timedelta(microseconds=1)
BEFORE = datetime(2026, 5, 1, tzinfo=UTC)


def join(functions: Functions, race_id: object, by: Member, **changes: Any) -> Answer:
    return functions.call("join_race", by=by, path=f"/v1/races/{race_id}/participants", **changes)


def test_a_new_participation_has_no_wager_and_no_rank(races: Races, members: Members, functions: Functions) -> None:
    member, race_id = members.new(), races.new()
    answer = join(functions, race_id, member, now=BEFORE)
    assert answer.status == 201
    assert answer.json == {
        "race_id": race_id,
        "user_id": member.id,
        "joined_at": "2026-05-01T00:00:00Z",
        "total_wager": "0.00",
        "rank": None,
    }
    (row,) = races.participants(race_id)
    assert (row.user_id, row.member_key, row.joined_at, row.updated_at) == (member.id, member.id, BEFORE, BEFORE)


def test_a_race_can_be_joined_until_its_end(races: Races, members: Members, functions: Functions) -> None:
    race_id = races.new()
    assert join(functions, race_id, members.new(), now=START).status == 201
    assert join(functions, race_id, members.new(), now=LAST_MICROSECOND).status == 201
    late = join(functions, race_id, members.new(), now=END)
    assert (late.status, late.json["code"]) == (409, "race_closed")
    assert len(races.participants(race_id)) == 2


def test_joining_again_answers_the_same_participation_also_after_the_end(
    races: Races, members: Members, functions: Functions
) -> None:
    member, race_id = members.new(), races.new()
    first = join(functions, race_id, member, now=BEFORE)
    for now in (BEFORE, START, END, END + timedelta(days=100)):
        again = join(functions, race_id, member, now=now)
        assert (again.status, again.json) == (200, first.json)
    assert len(races.participants(race_id)) == 1


def test_a_cancelled_or_settled_race_cannot_be_joined(races: Races, members: Members, functions: Functions) -> None:
    for columns in ({"cancelled_at": BEFORE}, {"settled_at": BEFORE}):
        race_id = races.new(**columns)
        refused = join(functions, race_id, members.new(), now=START)
        assert (refused.status, refused.json["code"]) == (409, "race_closed")
        assert races.participants(race_id) == []


def test_the_status_column_does_not_matter(races: Races, members: Members, functions: Functions) -> None:
    assert join(functions, races.new(status="completed"), members.new(), now=START).status == 201
    assert join(functions, races.new(status="live"), members.new(), now=END).status == 409


def test_an_adopted_participation_counts_as_joined(races: Races, members: Members, functions: Functions) -> None:
    member, race_id = members.new(), races.new()
    first = races.enter(race_id, member.id, total_wager=Decimal("12.5"), rank=3)
    races.enter(race_id, member.id, total_wager=Decimal(99), rank=1)
    answer = join(functions, race_id, member, now=START)
    assert (answer.status, answer.json["total_wager"], answer.json["rank"]) == (200, "12.50", 3)
    assert [row.id for row in races.participants(race_id) if row.member_key] == [first]


def test_an_id_that_no_race_has_is_not_found(members: Members, functions: Functions) -> None:
    member = members.new()
    for race_id in (2**31 - 1, 2**31, 0, -1, "1.5", "one", "%00", "\u0661"):
        answer = join(functions, race_id, member, now=START)
        assert (answer.status, answer.json["code"]) == (404, "not_found"), race_id


def test_a_member_who_may_not_play_gets_the_reason(races: Races, members: Members, functions: Functions) -> None:
    race_id = races.new()
    for columns, expected in (
        ({"suspended_at": BEFORE}, (403, "account_suspended")),
        ({"excluded_until": BEFORE}, (403, "self_excluded")),
        ({"excluded_permanently": True}, (403, "self_excluded")),
    ):
        refused = join(functions, race_id, members.new(**columns), now=START)
        assert (refused.status, refused.json["code"]) == expected
    signed_out = members.new()
    members.end_session(signed_out)
    assert join(functions, race_id, signed_out).status == 401
    assert functions.call("join_race").status == 401
    assert races.participants(race_id) == []


def test_an_unverified_member_joins_unless_the_setting_requires_a_verified_email(
    races: Races, members: Members, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    race_id = races.new()
    assert join(functions, race_id, members.new(email_verified=False), now=START).status == 201
    monkeypatch.setattr(api, "settings", replace(settings, verified_email_required=True))
    refused = join(functions, race_id, members.new(email_verified=False), now=START)
    assert (refused.status, refused.json["code"]) == (403, "email_unverified")
    assert join(functions, race_id, members.new(), now=START).status == 201


def test_the_same_key_gets_the_same_answer(races: Races, members: Members, functions: Functions) -> None:
    member, race_id = members.new(), races.new()
    first, again = (join(functions, race_id, member, now=START, headers={"idempotency-key": "a key"}) for _ in range(2))
    assert (first.status, again.status) == (201, 201)
    assert again.text == first.text
    assert again.headers["Idempotency-Replayed"] == "true"


def test_a_body_with_fields_is_refused(races: Races, members: Members, functions: Functions) -> None:
    race_id, member = races.new(), members.new()
    path = f"/v1/races/{race_id}/participants"
    for raw, status in (('{"user_id": 1}', 422), ("[]", 422), ("{", 400), ("{}", 201)):
        answer = functions.call("join_race", by=member, path=path, raw=raw, now=START)
        assert answer.status == status, raw
    assert len(races.participants(race_id)) == 1


def test_adopted_dates_that_python_cannot_represent_are_answered_as_the_nearest_ones(
    races: Races, members: Members, functions: Functions, database: sa.Engine
) -> None:
    for end in ("infinity", "12000-01-01"):
        race_id = races.new()
        dates = sa.text(
            "UPDATE wager_races SET start_date = '-infinity', end_date = CAST(:end AS timestamp) WHERE id = :id"
        )
        with database.connect() as connection:
            connection.execute(dates, {"end": end, "id": race_id})
        answer = functions.call("get_race", path=f"/v1/races/{race_id}")
        assert (answer.json["start_date"], answer.json["end_date"]) == (
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999Z",
        )
        assert functions.call("list_races", query={"limit": "100"}).status == 200
        assert functions.call("list_races", query={"limit": "1"}).status == 200
        assert join(functions, race_id, members.new(), now=START).status == 201
    races.remove_all()  # other tests read whole lists

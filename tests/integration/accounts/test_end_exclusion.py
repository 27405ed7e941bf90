"""Members whose exclusion is over say that they want to play again."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.accounts import exclusions
from goatedvips.models.accounts import users
from tests.support import stack
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.plans import fill, rows_read

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def end(functions: Functions, by: Member | None, now: datetime = NOON) -> Answer:
    return functions.call("end_exclusion", by=by, now=now)


def end_due(functions: Functions, now: datetime) -> int:
    count: int = functions.invoke("advance_races", {"scheduled_time": "2026-11-24T14:39:00Z"}, now=now)[
        "ended_exclusions"
    ]
    return count


def exclude(members: Members, until: datetime = NOON, days: int = 179, **fields: Any) -> Member:
    """Return a member whose exclusion can be ended from an instant on, and began a number of days before it."""
    return members.new(excluded_until=until, excluded_since=until - timedelta(days=days), **fields)


def read_exclusion(database: sa.Engine, member: Member) -> tuple[datetime | None, bool]:
    row = sa.select(users.c.excluded_until, users.c.excluded_permanently).where(users.c.id == member.id)
    with database.connect() as connection:
        until, permanently = connection.execute(row).one()
    return until, permanently


def test_from_its_end_on_and_not_before(functions: Functions, members: Members, database: sa.Engine) -> None:
    member, other = exclude(members), exclude(members)
    early = end(functions, member, NOON - MOMENT)
    assert (early.status, early.json["code"]) == (409, "exclusion_running")
    assert (early.json["excluded_until"], early.json["permanent"]) == ("2026-05-01T12:00:00Z", False)
    assert read_exclusion(database, member) == (NOON, False)
    answer = end(functions, member)
    assert (answer.status, answer.text) == (204, "")
    assert read_exclusion(database, member) == (None, False)
    assert read_exclusion(database, other) == (NOON, False)


def test_then_they_play_again(functions: Functions, members: Members) -> None:
    now = datetime.now(UTC)
    member = exclude(members, now - timedelta(days=365))
    refused = functions.call("spin_wheel", by=member, body={}, now=now)
    assert (refused.status, refused.json["code"]) == (403, "self_excluded")
    assert end(functions, member, now).status == 204
    assert functions.call("spin_wheel", by=member, body={}, now=now).status == 201


@pytest.mark.parametrize("days", [180, 400, None])
def test_one_of_180_days_or_of_unknown_length_ends_a_day_later(
    functions: Functions, members: Members, database: sa.Engine, days: int | None
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    over = now + timedelta(hours=24)
    fields: dict[str, Any] = {"excluded_until": now}
    fields |= {"excluded_since": now - timedelta(days=days)} if days else {}
    member, waits = members.new(**fields), members.new(**fields)
    for passed in (timedelta(), timedelta(hours=1)):
        assert end(functions, member, now + passed).status == 204
        assert read_exclusion(database, member) == (over, False), "ending it again does not put the end off"
    assert end_due(functions, over - MOMENT) == 0
    refused = functions.call("spin_wheel", by=member, body={}, now=over - MOMENT)
    assert (refused.status, refused.json["code"]) == (403, "self_excluded")
    assert end_due(functions, over) == 1
    assert functions.call("spin_wheel", by=member, body={}, now=over).status == 201
    assert read_exclusion(database, waits) == (now, False), "nobody else's ends"
    assert end_due(functions, over) == 0


def test_a_run_does_not_read_the_exclusions_that_go_on(servers: stack.Stack, database: sa.Engine) -> None:
    away = "SELECT 'away-' || n, 'away-' || n || '@example.com', '', '2026-05-01' FROM generate_series(1, 3000) n"
    try:
        fill(database, f"INSERT INTO users (username, email, password, excluded_until) {away}")
        url = servers.direct(os.environ["TEST_DATABASE"], "jobs")
        assert rows_read(url, sa.select(exclusions._ended.c.id), {"now": NOON})["users"] < 100
    finally:
        fill(database, "DELETE FROM users WHERE username LIKE 'away-%'")


def test_a_member_ends_it_after_a_day_where_no_run_has(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = exclude(members, days=180)
    assert end(functions, member).status == 204
    assert end(functions, member, NOON + timedelta(hours=24)).status == 204
    assert read_exclusion(database, member) == (None, False)


def test_a_new_exclusion_of_that_day_takes_its_place(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    member = exclude(members, now, days=180)
    assert end(functions, member, now).status == 204
    assert functions.call("exclude_me", by=member, body={"days": 2}, now=now).status == 201
    assert end_due(functions, now + timedelta(days=3)) == 0
    assert end(functions, member, now + timedelta(days=1)).json["code"] == "exclusion_running"
    assert read_exclusion(database, member) == (now + timedelta(days=2), False)


def test_never_one_for_good(functions: Functions, members: Members, database: sa.Engine) -> None:
    for until in (None, NOON):
        member = members.new(excluded_permanently=True, excluded_until=until)
        answer = end(functions, member, datetime.now(UTC) + timedelta(days=20))
        assert (answer.status, answer.json["code"], answer.json["permanent"]) == (409, "exclusion_running", True)
        assert read_exclusion(database, member) == (until, True)


def test_ending_no_exclusion_does_nothing(functions: Functions, members: Members) -> None:
    member = exclude(members)
    assert [end(functions, member).status for _ in range(2)] == [204, 204]
    assert end(functions, members.new()).status == 204


def test_it_takes_no_fields(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = exclude(members)
    answer = functions.call("end_exclusion", by=member, now=NOON, body={"now": True})
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "/now")
    assert read_exclusion(database, member) == (NOON, False)


def test_a_suspended_or_signed_out_member_ends_nothing(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    assert end(functions, None).json["code"] == "unauthenticated"
    ended, suspended = exclude(members), exclude(members, suspended_at=NOON)
    members.end_session(ended)
    assert end(functions, ended).json["code"] == "unauthenticated"
    assert end(functions, suspended).json["code"] == "account_suspended"
    assert read_exclusion(database, ended) == read_exclusion(database, suspended) == (NOON, False)

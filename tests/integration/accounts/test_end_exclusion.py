"""Members whose exclusion is over say that they want to play again."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from goatedvips.models.accounts import users
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def end(functions: Functions, by: Member | None, now: datetime = NOON) -> Answer:
    return functions.call("end_exclusion", by=by, now=now)


def read_exclusion(database: sa.Engine, member: Member) -> tuple[datetime | None, bool]:
    row = sa.select(users.c.excluded_until, users.c.excluded_permanently).where(users.c.id == member.id)
    with database.connect() as connection:
        until, permanently = connection.execute(row).one()
    return until, permanently


def test_from_its_end_on_and_not_before(functions: Functions, members: Members, database: sa.Engine) -> None:
    member, other = members.new(excluded_until=NOON), members.new(excluded_until=NOON)
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
    member = members.new(excluded_until=now - timedelta(days=365))
    refused = functions.call("spin_wheel", by=member, body={}, now=now)
    assert (refused.status, refused.json["code"]) == (403, "self_excluded")
    assert end(functions, member, now).status == 204
    assert functions.call("spin_wheel", by=member, body={}, now=now).status == 201


def test_never_one_for_good(functions: Functions, members: Members, database: sa.Engine) -> None:
    for until in (None, NOON):
        member = members.new(excluded_permanently=True, excluded_until=until)
        answer = end(functions, member, datetime.now(UTC) + timedelta(days=20))
        assert (answer.status, answer.json["code"], answer.json["permanent"]) == (409, "exclusion_running", True)
        assert read_exclusion(database, member) == (until, True)


def test_ending_no_exclusion_does_nothing(functions: Functions, members: Members) -> None:
    member = members.new(excluded_until=NOON)
    assert [end(functions, member).status for _ in range(2)] == [204, 204]
    assert end(functions, members.new()).status == 204


def test_it_takes_no_fields(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new(excluded_until=NOON)
    answer = functions.call("end_exclusion", by=member, now=NOON, body={"now": True})
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "/now")
    assert read_exclusion(database, member) == (NOON, False)


def test_a_suspended_or_signed_out_member_ends_nothing(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    assert end(functions, None).json["code"] == "unauthenticated"
    ended, suspended = members.new(excluded_until=NOON), members.new(excluded_until=NOON, suspended_at=NOON)
    members.end_session(ended)
    assert end(functions, ended).json["code"] == "unauthenticated"
    assert end(functions, suspended).json["code"] == "account_suspended"
    assert read_exclusion(database, ended) == read_exclusion(database, suspended) == (NOON, False)

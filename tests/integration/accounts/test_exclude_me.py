"""Members keep themselves from play."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.accounts import sessions, users
from goatedvips.models.notifications import notifications
from tests.support.codes import Codes
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.races import Races
from tests.support.rows import insert_row

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def exclude(functions: Functions, by: Member | None, now: datetime = NOON, **body: object) -> Answer:
    return functions.call("exclude_me", by=by, body=body, now=now)


def read_exclusion(database: sa.Engine, member: Member) -> tuple[datetime | None, bool]:
    row = sa.select(users.c.excluded_until, users.c.excluded_permanently).where(users.c.id == member.id)
    with database.connect() as connection:
        until, permanently = connection.execute(row).one()
    return until, permanently


def read_since(database: sa.Engine, member: Member) -> datetime | None:
    with database.connect() as connection:
        row = connection.execute(sa.select(users.c.excluded_since).where(users.c.id == member.id))
        since: datetime | None = row.scalar_one()
    return since


def test_days_count_from_now(functions: Functions, members: Members, database: sa.Engine) -> None:
    member, other = members.new(), members.new()
    answer = exclude(functions, member, days=1)
    assert (answer.status, answer.json) == (201, {"excluded_until": "2026-05-02T12:00:00Z", "permanent": False})
    assert read_exclusion(database, member) == (NOON + timedelta(days=1), False)
    assert read_exclusion(database, other) == (None, False)
    me = functions.call("get_me", by=member).json
    assert (me["excluded_until"], me["excluded_permanently"]) == ("2026-05-02T12:00:00Z", False)


def test_what_the_inbox_would_show_later_goes_but_for_what_the_member_has_to_know(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member, other = members.new(), members.new()
    rows = [
        (member.id, "campaign", NOON),  # it is in the inbox already
        (member.id, "statement_written", NOON + MOMENT),
        (member.id, "ticket_reply", NOON + MOMENT),
        (other.id, "campaign", NOON + MOMENT),
        (member.id, "campaign", NOON + MOMENT),
        (member.id, "race_result", NOON + MOMENT),
    ]
    ids = [
        insert_row(database, notifications, user_id=user_id, kind=kind, created_at=NOON, due_at=due_at)
        for user_id, kind, due_at in rows
    ]
    assert exclude(functions, member, days=1).status == 201
    with database.connect() as connection:
        left = connection.scalars(sa.select(notifications.c.id).where(notifications.c.id.in_(ids)))
        assert sorted(left) == ids[:4]


def test_it_is_known_since_when_and_a_longer_one_keeps_the_beginning(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member, adopted = members.new(), members.new(excluded_until=NOON)
    later = NOON + timedelta(days=1)
    for now, body in ((NOON, {"days": 1}), (later, {"days": 3}), (later + MOMENT, {"permanent": True})):
        assert exclude(functions, member, now=now, **body).status == 201
        assert read_since(database, member) == NOON
    assert exclude(functions, adopted, days=9).status == 201
    assert read_since(database, adopted) is None, "it began before it was recorded"


def test_one_that_follows_another_that_was_ended_begins_anew(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member, later = members.new(), NOON + timedelta(days=2)
    exclude(functions, member, days=1)
    assert functions.call("end_exclusion", by=member, now=later).status == 204
    assert read_since(database, member) is None
    exclude(functions, member, now=later + MOMENT, days=1)
    assert read_since(database, member) == later + MOMENT


def test_a_hundred_years_are_a_date(functions: Functions, members: Members) -> None:
    assert exclude(functions, members.new(), days=36_500).json["excluded_until"] == "2126-04-07T12:00:00Z"


def test_for_good_is_for_good(functions: Functions, members: Members, database: sa.Engine) -> None:
    for member in (members.new(), members.new(excluded_until=NOON)):
        for _ in range(2):
            answer = exclude(functions, member, permanent=True)
            assert (answer.status, answer.json) == (201, {"excluded_until": None, "permanent": True})
            assert read_exclusion(database, member) == (None, True)
        shorter = exclude(functions, member, days=36_500)
        assert (shorter.status, shorter.json["code"]) == (409, "exclusion_shorter")
        assert (shorter.json["excluded_until"], shorter.json["permanent"]) == (None, True)
        assert read_exclusion(database, member) == (None, True)


def test_it_can_be_made_longer_but_not_shorter(functions: Functions, members: Members, database: sa.Engine) -> None:
    member, end = members.new(), NOON + timedelta(days=7)
    assert exclude(functions, member, days=7).status == 201
    shorter = exclude(functions, member, now=NOON - MOMENT, days=7)
    assert (shorter.status, shorter.json["code"]) == (409, "exclusion_shorter")
    assert (shorter.json["excluded_until"], shorter.json["permanent"]) == ("2026-05-08T12:00:00Z", False)
    assert read_exclusion(database, member) == (end, False)
    assert exclude(functions, member, days=7).status == 201, "the same end"
    assert exclude(functions, member, now=NOON + MOMENT, days=7).status == 201
    assert read_exclusion(database, member) == (end + MOMENT, False)


def test_one_that_is_over_but_was_not_ended_goes_on_with_a_new_end(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(excluded_until=NOON - timedelta(days=30))
    assert exclude(functions, member, days=1).status == 201
    assert read_exclusion(database, member) == (NOON + timedelta(days=1), False)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"days": 1, "permanent": True}, ""),
        ({"days": None}, ""),
        ({"days": None, "permanent": None}, ""),
        ({"permanent": False}, "/permanent"),
        ({"permanent": 1}, "/permanent"),
        ({"permanent": "true"}, "/permanent"),
        ({"days": 0}, "/days"),
        ({"days": -1}, "/days"),
        ({"days": 36_501}, "/days"),
        ({"days": 10**30}, "/days"),
        ({"days": True}, "/days"),
        ({"days": "3"}, "/days"),
        ({"days": 3.0}, "/days"),
        ({"days": 1.5}, "/days"),
        ({"days": [3]}, "/days"),
        ({"days": 3, "until": "2027-01-01T00:00:00Z"}, "/until"),
    ],
)
def test_anything_else_is_refused(
    functions: Functions, members: Members, database: sa.Engine, body: dict[str, Any], pointer: str
) -> None:
    member = members.new()
    answer = exclude(functions, member, **body)
    assert (answer.status, [error["pointer"] for error in answer.json["errors"]]) == (422, [pointer])
    assert read_exclusion(database, member) == (None, False)


@pytest.mark.parametrize("body", [{"days": 1}, {"permanent": True}])
def test_no_play_from_then_on_and_all_else_as_before(
    functions: Functions, members: Members, codes: Codes, races: Races, database: sa.Engine, body: dict[str, Any]
) -> None:
    now = datetime.now(UTC)
    code, race_id = codes.new().code, races.new(start_date=now, end_date=now + timedelta(days=999))
    member = members.new()
    plays: dict[str, dict[str, Any]] = {
        "spin_wheel": {"body": {}},
        "claim_code": {"body": {"code": code}},
        "join_race": {"path": f"/v1/races/{race_id}/participants"},
    }
    assert exclude(functions, member, now=now, **body).status == 201
    # Also when the end has passed: they have not said that they want to play again.
    for later in (now, now + timedelta(days=1), now + timedelta(days=20)):
        for name, play in plays.items():
            answer = functions.call(name, by=member, now=later, **play)
            assert (answer.status, answer.json["code"]) == (403, "self_excluded"), name
    for name in ("get_me", "get_my_wheel", "list_codes", "list_tickets"):
        assert functions.call(name, by=member, now=now).status == 200, name
    with database.connect() as connection:
        ended = sa.select(sessions.c.ended_at).where(sessions.c.id == member.session_id)
        assert connection.scalar(ended) is None
    for name, play in plays.items():
        assert functions.call(name, by=members.new(), now=now, **play).status == 201, name


def test_a_suspended_or_signed_out_member_changes_nothing(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    assert exclude(functions, None, days=1).json["code"] == "unauthenticated"
    ended, suspended = members.new(), members.new(suspended_at=NOON)
    members.end_session(ended)
    assert exclude(functions, ended, now=datetime.now(UTC), days=1).json["code"] == "unauthenticated"
    assert exclude(functions, suspended, days=1).json["code"] == "account_suspended"
    assert read_exclusion(database, ended) == read_exclusion(database, suspended) == (None, False)


def test_a_repeated_request_has_the_first_answer(functions: Functions, members: Members) -> None:
    member, key = members.new(), {"idempotency-key": "once"}
    answers = [
        functions.call("exclude_me", by=member, body={"days": 1}, now=NOON + timedelta(hours=hour), headers=key)
        for hour in (0, 1)
    ]
    assert [answer.status for answer in answers] == [201, 201]
    assert answers[0].text == answers[1].text

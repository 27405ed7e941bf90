"""POST /v1/me/notifications/read: members mark notifications as read."""

import pytest
import sqlalchemy as sa

from goatedvips.models.notifications import notifications
from tests.integration.notifications.test_list_notifications import HOUR, NOON, add, get
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members


def read(functions: Functions, by: Member | None, **body: object) -> Answer:
    return functions.call("read_notifications", by=by, body=body, now=NOON)


def test_reading_marks_some_or_all(functions: Functions, members: Members, database: sa.Engine) -> None:
    member, other = members.new(), members.new()
    mine, theirs = [add(database, member) for _ in range(3)], add(database, other)
    future = add(database, member, due_at=NOON + HOUR)
    assert read(functions, member, ids=[mine[0], theirs, future, 2**53 - 1]).status == 204
    assert [item["id"] for item in get(functions, member)["items"] if item["read_at"]] == [mine[0]]
    assert (get(functions, member)["unread"], get(functions, other)["unread"]) == (2, 1)
    answer = functions.call("read_notifications", by=member, body={}, now=NOON + HOUR / 2)
    assert (answer.status, answer.text) == (204, "")
    inbox = get(functions, member)
    assert inbox["unread"] == 0
    assert {item["read_at"] for item in inbox["items"]} == {"2026-05-01T12:00:00Z", "2026-05-01T12:30:00Z"}
    assert read(functions, member).status == 204
    assert get(functions, member) == inbox, "what was read stays as it was"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"ids": []}, "/ids"),
        ({"ids": [0]}, "/ids/0"),
        ({"ids": ["1"]}, "/ids/0"),
        ({"ids": [True]}, "/ids/0"),
        ({"ids": [2**53]}, "/ids/0"),
        ({"ids": 1}, "/ids"),
        ({"ids": list(range(1, 102))}, "/ids"),
        ({"all": True}, "/all"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_bad_requests_are_refused(
    functions: Functions, members: Members, database: sa.Engine, body: dict[str, object], pointer: str
) -> None:
    member = members.new()
    add(database, member)
    answer = read(functions, member, **body)
    assert (answer.status, [error["pointer"] for error in answer.json["errors"]]) == (422, [pointer])
    assert get(functions, member)["unread"] == 1


def test_nobody_and_who_is_suspended_read_nothing(functions: Functions, members: Members, database: sa.Engine) -> None:
    assert read(functions, None).status == 401
    member = members.new(suspended_at=NOON)
    notification = add(database, member)
    assert read(functions, member).json["code"] == "account_suspended"
    with database.connect() as connection:
        read_at = sa.select(notifications.c.read_at).where(notifications.c.id == notification)
        assert connection.execute(read_at).scalar_one() is None

"""DELETE /v1/me/push-subscriptions: members end push messages in a browser."""

import pytest
import sqlalchemy as sa

from tests.integration.notifications.test_add_push_subscription import NOON, add, endpoint, rows
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members


def remove(functions: Functions, by: Member | None, **body: object) -> Answer:
    return functions.call("remove_push_subscription", by=by, body=body, now=NOON)


def test_only_the_members_own_subscription_ends(functions: Functions, members: Members, database: sa.Engine) -> None:
    member, other = members.new(), members.new()
    for name in ("a", "b"):
        add(functions, member, endpoint(member, name))
    add(functions, other, endpoint(other))
    for _ in range(2):
        answer = remove(functions, member, endpoint=endpoint(member, "a"))
        assert (answer.status, answer.text) == (204, "")
    assert remove(functions, member, endpoint=endpoint(other)).status == 204
    assert [row.endpoint for row in rows(database, member)] == [endpoint(member, "b")]
    assert len(rows(database, other)) == 1
    with_port = endpoint(member, "b").replace(".com/", ".com:443/")
    assert remove(functions, member, endpoint=with_port).status == 204
    assert rows(database, member) == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({}, "/endpoint"), ({"endpoint": "https://push.example/x"}, "/endpoint"), ({"endpoint": None}, "/endpoint")],
    ids=str,
)
def test_bad_requests_are_refused(
    functions: Functions, members: Members, body: dict[str, object], pointer: str
) -> None:
    answer = remove(functions, members.new(), **body)
    assert (answer.status, [error["pointer"] for error in answer.json["errors"]]) == (422, [pointer])


def test_nobody_and_who_is_suspended_remove_nothing(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new()
    add(functions, member, endpoint(member))
    assert remove(functions, None, endpoint=endpoint(member)).status == 401
    functions.call("log_out", by=member)
    assert remove(functions, member, endpoint=endpoint(member)).json["code"] == "unauthenticated"
    assert len(rows(database, member)) == 1

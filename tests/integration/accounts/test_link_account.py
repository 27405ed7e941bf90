"""Members ask for a casino account to be taken for theirs."""

import secrets
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from goatedvips.models.accounts import account_links, users
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def ask(functions: Functions, by: Member | None, uid: object) -> Answer:
    return functions.call("link_account", by=by, body={"uid": uid}, now=NOON)


def requests(database: sa.Engine, member: Member) -> list[tuple[str, str | None]]:
    rows = sa.select(account_links.c.uid, account_links.c.decision).where(account_links.c.user_id == member.id)
    with database.connect() as connection:
        return [(row.uid, row.decision) for row in connection.execute(rows.order_by(account_links.c.id))]


def decided(database: sa.Engine, member: Member) -> None:
    with database.connect() as connection:
        refusal = sa.update(account_links).where(account_links.c.user_id == member.id).values(decision="refused")
        connection.execute(refusal)


def new_uid() -> str:
    return f"uid-{secrets.token_hex(6)}"


def test_a_request_waits_for_staff_and_links_nothing(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member, uid = members.new(), new_uid()
    answer = ask(functions, member, uid)
    assert answer.status == 202
    assert answer.json.pop("id") > 0
    assert answer.json | {"id": 0} == {
        "id": 0,
        "uid": uid,
        "status": "pending",
        "requested_at": "2026-05-01T12:00:00Z",
    }
    assert requests(database, member) == [(uid, None)]
    me = functions.call("get_me", by=member).json
    assert (me["uid"], me["verified"]) == (None, False)


def test_one_waits_at_a_time(functions: Functions, members: Members, database: sa.Engine) -> None:
    member, other, uid = members.new(), members.new(), new_uid()
    assert ask(functions, member, uid).status == 202
    for again in (uid, new_uid()):
        second = ask(functions, member, again)
        assert (second.status, second.json["code"]) == (409, "link_pending")
    assert ask(functions, other, uid).status == 202, "the same uid, of another member"
    decided(database, member)
    assert ask(functions, member, uid).status == 202
    assert requests(database, member) == [(uid, "refused"), (uid, None)]


def test_the_answer_does_not_reveal_who_has_the_casino_account(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    uid = new_uid()
    members.new(uid=uid, verified=True)
    member = members.new()
    taken, free = ask(functions, member, uid), ask(functions, members.new(), new_uid())
    assert (taken.status, taken.json.keys()) == (free.status, free.json.keys())
    assert requests(database, member) == [(uid, None)]


def test_a_linked_uid_cannot_be_requested_again(functions: Functions, members: Members, database: sa.Engine) -> None:
    uid = new_uid()
    member = members.new(uid=uid, verified=True)
    answer = ask(functions, member, uid)
    assert (answer.status, answer.json["code"]) == (409, "already_linked")
    assert requests(database, member) == []
    assert ask(functions, member, new_uid()).status == 202, "another one in its place"


def test_an_adopted_uid_that_nobody_verified_may_be(functions: Functions, members: Members) -> None:
    uid = new_uid()
    assert ask(functions, members.new(uid=uid, verified=False), uid).status == 202


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("x", "x"),
        ("  0C9d-4b1e \t\n", "0C9d-4b1e"),
        ("e\N{COMBINING ACUTE ACCENT}" * 100, "é" * 100),
        ("two words", "two words"),
        ("'; DROP TABLE users --", "'; DROP TABLE users --"),
    ],
)
def test_a_uid_is_a_line_of_text(
    functions: Functions, members: Members, database: sa.Engine, given: str, stored: str
) -> None:
    member = members.new()
    assert ask(functions, member, given).json["uid"] == stored
    assert requests(database, member) == [(stored, None)]


@pytest.mark.parametrize(
    "uid", ["", "   ", "x" * 101, "a\x00b", "a\ud800b", "a\nb", "a\u200bb", "\u202eab", 7, None, True, ["a"], {}]
)
def test_anything_else_is_refused(functions: Functions, members: Members, database: sa.Engine, uid: object) -> None:
    member = members.new()
    answer = ask(functions, member, uid)
    assert (answer.status, [error["pointer"] for error in answer.json["errors"]]) == (422, ["/uid"])
    assert requests(database, member) == []


def test_a_suspended_or_signed_out_member_requests_nothing(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    assert ask(functions, None, new_uid()).json["code"] == "unauthenticated"
    ended, suspended, excluded = members.new(), members.new(suspended_at=NOON), members.new(excluded_permanently=True)
    members.end_session(ended)
    assert ask(functions, ended, new_uid()).json["code"] == "unauthenticated"
    assert ask(functions, suspended, new_uid()).json["code"] == "account_suspended"
    assert requests(database, ended) == requests(database, suspended) == []
    assert ask(functions, excluded, new_uid()).status == 202


def test_a_repeated_request_has_the_first_answer(functions: Functions, members: Members, database: sa.Engine) -> None:
    member, uid, key = members.new(), new_uid(), {"idempotency-key": "once"}
    answers = [functions.call("link_account", by=member, body={"uid": uid}, headers=key) for _ in range(2)]
    assert [answer.status for answer in answers] == [202, 202]
    assert answers[0].text == answers[1].text
    assert len(requests(database, member)) == 1
    with database.connect() as connection:
        assert connection.scalar(sa.select(users.c.uid).where(users.c.id == member.id)) is None

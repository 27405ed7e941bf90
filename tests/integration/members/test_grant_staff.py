"""Somebody is made one of the staff by hand."""

import logging
import secrets
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from goatedvips.errors import Conflict, NotFound
from goatedvips.models.accounts import users
from tests.support.functions import Functions
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def grant(functions: Functions, username: object) -> Any:
    return functions.invoke("grant_staff", {"username": username})


def is_staff(database: sa.Engine, member: Member) -> bool:
    with database.connect() as connection:
        return bool(connection.scalar(sa.select(users.c.is_admin).where(users.c.id == member.id)))


def test_a_member_becomes_staff_and_stays_it(
    members: Members, functions: Functions, database: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    member, other = members.new(), members.new()
    with caplog.at_level(logging.INFO):
        assert grant(functions, member.username) == {"user_id": member.id, "username": member.username, "granted": True}
        assert grant(functions, member.username)["granted"] is False
    assert (is_staff(database, member), is_staff(database, other)) == (True, False)
    promoted = Member(**{**vars(member), "is_staff": True})
    assert functions.call("list_members", by=promoted, query={"limit": "1"}).status == 200
    assert [(line.message, line.__dict__["user_id"]) for line in caplog.records if "staff" in line.message] == [
        ("made staff", member.id),
        ("is already staff", member.id),
    ]


def test_the_exact_spelling_counts_and_else_any(members: Members, functions: Functions, database: sa.Engine) -> None:
    name = f"Ann-{secrets.token_hex(4)}"
    older = members.new(username=name.upper(), username_key=name.lower())
    exact = members.new(username=name, username_key=None)  # adopted: the older one has the key
    assert grant(functions, name)["user_id"] == exact.id
    assert not is_staff(database, older)
    assert grant(functions, name.title().swapcase())["user_id"] == older.id


def test_an_unknown_username_is_named_in_the_error(members: Members, functions: Functions) -> None:
    with pytest.raises(NotFound, match="There is no member 'nobody'"):
        grant(functions, "nobody")
    with pytest.raises(NotFound):
        grant(functions, members.new().email)
    erased = members.new(erased_at=NOON)
    with pytest.raises(NotFound):
        grant(functions, erased.username)


def test_a_suspended_member_is_refused(members: Members, functions: Functions, database: sa.Engine) -> None:
    member = members.new(suspended_at=NOON)
    with pytest.raises(Conflict, match=f"'{member.username}' is suspended"):
        grant(functions, member.username)
    assert not is_staff(database, member)


@pytest.mark.parametrize("event", [{}, {"username": ""}, {"username": None}, {"username": "a\x00"}, {"name": "ann"}])
def test_an_event_without_a_name_is_refused(functions: Functions, event: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="username"):
        functions.invoke("grant_staff", event)

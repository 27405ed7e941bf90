"""A connection that is lost between the comparison of a right password and its effect leaves no failed attempt."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.accounts import passwords
from goatedvips.models.accounts import attempts
from tests.support.credentials import NEW_PASSWORD, PASSWORD, STORED, network_address, problem
from tests.support.functions import Functions, load
from tests.support.members import Members
from tests.support.wire import Wire

BODIES: dict[str, dict[str, Any]] = {
    "log_in": {"password": PASSWORD},
    "change_password": {"current_password": PASSWORD, "new_password": NEW_PASSWORD},
    "change_email": {"current_password": PASSWORD, "email": "new-goat@example.com"},
    "erase_me": {"password": PASSWORD},
}


def cut_after(monkeypatch: pytest.MonkeyPatch, wire: Wire, name: str) -> None:
    """Cut the connections when a function of `passwords` has returned."""
    compare: Callable[..., Any] = getattr(passwords, name)

    def compare_and_cut(*arguments: Any, **options: Any) -> Any:
        result = compare(*arguments, **options)
        wire.cut()
        return result

    monkeypatch.setattr(passwords, name, compare_and_cut)


@pytest.mark.parametrize("name", BODIES)
def test_a_right_password_leaves_no_attempt_if_the_connection_is_lost(
    wire: Wire,
    functions: Functions,
    members: Members,
    database: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    load(name)
    cut_after(monkeypatch, wire, "verify_and_upgrade" if name == "log_in" else "verify")
    members.staff()
    member, at = members.new(password=STORED), network_address()
    body, by = BODIES[name], member
    answer = (
        functions.call(name, body=body | {"login": member.username}, address=at)
        if name == "log_in"
        else functions.call(name, by=by, body=body, address=at)
    )
    assert problem(answer) == (503, "database_unavailable")
    with database.connect() as connection:
        left = sa.select(attempts.c.kind).where(attempts.c.address == at, attempts.c.kind == "log_in")
        assert connection.scalars(left).all() == []


def test_a_wrong_password_stays_counted_if_the_connection_is_lost(
    wire: Wire, functions: Functions, members: Members, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    load("log_in")
    cut_after(monkeypatch, wire, "matches")
    member, at = members.new(password=STORED), network_address()
    body = {"login": member.username, "password": "a wrong password"}
    assert problem(functions.call("log_in", body=body, address=at)) == (401, "invalid_credentials")
    with database.connect() as connection:
        left = sa.select(attempts.c.subject).where(attempts.c.address == at)
        assert connection.scalars(left).all() == [str(member.id)]

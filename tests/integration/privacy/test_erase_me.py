"""Erasure: who can erase themselves, what it takes, and what an erased member can still do."""

import json
import secrets
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.every import (
    accounts,
)
from tests.support.credentials import count_mail_requests, network_address
from tests.support.erasure import erase, everything
from tests.support.functions import Functions
from tests.support.lives import NOON, PASSWORD, STORED, Life
from tests.support.members import Members

users = accounts.users


def test_a_wrong_password_erases_nothing_and_is_counted(functions: Functions, life: Life, database: sa.Engine) -> None:
    before, at = everything(database), network_address()
    for _ in range(10):
        wrong = functions.call("erase_me", by=life.member, body={"password": "not it, at all"}, address=at, now=NOON)
        assert (wrong.status, wrong.json["code"]) == (401, "invalid_credentials")
    after = everything(database)
    assert {place: after.get(place) for place in before} == before
    assert {table for table, _ in after.keys() - before.keys()} == {accounts.attempts}
    throttled = functions.call("erase_me", by=life.member, body={"password": PASSWORD}, address=at, now=NOON)
    assert (throttled.status, throttled.json["code"]) == (429, "too_many_attempts")
    assert erase(functions, life.member, now=NOON).status == 204, "from elsewhere"


def test_the_last_staff_member_is_refused(functions: Functions, members: Members, database: sa.Engine) -> None:
    with database.connect() as connection:
        connection.execute(sa.update(users).values(is_admin=False))
    last = members.staff(password=STORED)
    members.staff(suspended_at=datetime.now(UTC))
    before = everything(database)
    refused = erase(functions, last)
    assert (refused.status, refused.json["code"]) == (409, "last_staff")
    assert everything(database) == before, "the attempt was right, so it is not counted"
    members.staff()
    assert erase(functions, last).status == 204


def test_the_last_staff_member_needs_the_password_too(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    with database.connect() as connection:
        connection.execute(sa.update(users).values(is_admin=False))
    assert erase(functions, members.staff(password=STORED), password="not it, at all").status == 401


def test_a_member_can_be_erased_without_any_staff(functions: Functions, members: Members, database: sa.Engine) -> None:
    with database.connect() as connection:
        connection.execute(sa.update(users).values(is_admin=False))
    assert erase(functions, members.new(password=STORED)).status == 204


def test_only_a_signed_in_member_can_erase_themselves(functions: Functions, members: Members) -> None:
    assert functions.call("erase_me", body={"password": PASSWORD}).status == 401
    member = members.new(password=STORED)
    members.change(member, suspended_at=datetime.now(UTC))
    assert erase(functions, member).json["code"] == "account_suspended"
    members.change(member, suspended_at=None)
    members.end_session(member)
    assert erase(functions, member).json["code"] == "unauthenticated"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/password"),
        ({"password": None}, "/password"),
        ({"password": 123456789012}, "/password"),
        ({"password": ""}, "/password"),
        ({"password": "x" * 1001}, "/password"),
        ({"password": "goats\x00"}, "/password"),
        ({"password": "goats\ud800"}, "/password"),
        ({"password": PASSWORD, "really": True}, "/really"),
    ],
)
def test_an_invalid_body_is_refused_and_not_counted(
    functions: Functions, members: Members, body: dict[str, Any], pointer: str, database: sa.Engine
) -> None:
    member = members.new(password=STORED)
    refused = functions.call("erase_me", by=member, body=body)
    assert [error["pointer"] for error in refused.json["errors"]] == [pointer]
    with database.connect() as connection:
        attempts_of_member = sa.select(accounts.attempts).where(accounts.attempts.c.subject == str(member.id))
        assert connection.execute(attempts_of_member).all() == []


def test_an_erased_member_can_do_nothing(functions: Functions, life: Life, database: sa.Engine) -> None:
    assert erase(functions, life.member).status == 204
    for name, changes in (
        ("get_me", {}),
        ("export_me", {}),
        ("open_ticket", {"body": {"subject": "s", "description": "d"}}),
        ("spin_wheel", {"body": {}}),
        ("erase_me", {"body": {"password": PASSWORD}}),
    ):
        assert functions.call(name, by=life.member, **changes).status == 401, name
    bearer = f"Bearer {life.member.token}"
    assert "user_id" not in functions.invoke("authorize", {"identitySource": [bearer]})["context"]
    for login, password in (
        (life.member.username, PASSWORD),
        (f"erased:{life.member.id}", PASSWORD),
        (f"erased:{life.member.id}", "(erased)"),
    ):
        body = {"login": login, "password": password}
        assert functions.call("log_in", body=body, address=network_address()).json["code"] == "invalid_credentials"
    assert functions.call("get_profile", path=f"/v1/users/{life.member.id}").status == 404


def test_an_idempotency_key_does_not_replay_an_erasure(functions: Functions, members: Members) -> None:
    members.staff()
    member = members.new(password=STORED)
    key = {"idempotency-key": "k"}
    assert erase(functions, member, headers=key).status == 204
    assert erase(functions, member, headers=key).status == 401


def test_no_personal_data_are_logged(
    functions: Functions, life: Life, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("INFO")
    assert erase(functions, life.member).status == 204
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    logged = str([vars(record) for record in caplog.records]) + str(lines)
    assert "answered" in logged
    assert not [value for value in (*life.personal, PASSWORD) if value.lower() in logged.lower()]


def test_an_erasure_does_not_reset_the_mail_throttle(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    """Mails that an erased member asked for still count for the address: at most three an hour."""
    members.staff()
    wished = f"{secrets.token_hex(8)}@example.com"
    for _ in range(2):
        member = members.new(password=STORED)
        for _ in range(2):
            body = {"email": wished, "current_password": PASSWORD}
            assert functions.call("change_email", by=member, body=body, address=network_address()).status == 202
        assert erase(functions, member).status == 204
    assert count_mail_requests(database, wished) == 3

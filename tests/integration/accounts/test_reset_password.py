"""Whoever has the mailed token sets a new password."""

from copy import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from goatedvips.domain.accounts import passwords
from goatedvips.domain.notifications import mailed_tokens
from goatedvips.models.accounts import mailed_tokens as rows
from tests.support.credentials import (
    BY_NODE,
    MOMENT,
    NEW_PASSWORD,
    NOON,
    PASSWORD,
    STORED,
    also_signed_in,
    is_live,
    log_in,
    pointers,
    problem,
    row,
)
from tests.support.functions import Answer, Functions, load
from tests.support.members import Member, Members

HOUR = timedelta(hours=1)
INVALID = (404, "token_invalid")


def mail(database: sa.Engine, member: Member, now: datetime = NOON, asked_at: datetime | None = None) -> str:
    """A token as the sender makes it."""
    with database.connect() as connection:
        token = mailed_tokens.make_for_reset(connection, member.id, member.email, asked_at=asked_at or now, now=now)
    assert token is not None
    return token


def reset(functions: Functions, token: object, password: object = NEW_PASSWORD, now: datetime = NOON) -> Answer:
    return functions.call("reset_password", body={"token": token, "password": password}, now=now)


@pytest.mark.parametrize("stored", [STORED, BY_NODE], ids=["argon2", "scrypt"])
def test_a_token_sets_a_password_once_and_proves_the_address(
    functions: Functions, members: Members, database: sa.Engine, stored: str
) -> None:
    member, other = members.new(password=stored, email_verified=False), members.new(password=stored)
    token = mail(database, member)
    answer = reset(functions, token)
    assert (answer.status, answer.text) == (204, "")
    after = row(database, member)
    assert after.password.startswith("$argon2id$")
    assert after.email_verified is True
    assert log_in(functions, member.username, NEW_PASSWORD).status == 201
    assert log_in(functions, member.username, PASSWORD).status == 401
    assert row(database, other).password == stored
    assert problem(reset(functions, token, "yet another password")) == INVALID
    assert row(database, member).password == after.password


def test_all_sessions_end_at_once(functions: Functions, members: Members, database: sa.Engine) -> None:
    member, other = members.new(password=STORED), members.new()
    elsewhere = also_signed_in(database, member)
    now = datetime.now(UTC)
    assert reset(functions, mail(database, member, now), now=now).status == 204
    assert not is_live(functions, member)
    assert not is_live(functions, elsewhere)
    assert is_live(functions, other)


def test_the_token_is_nowhere_but_in_the_mail(members: Members, database: sa.Engine) -> None:
    member = members.new()
    token = mail(database, member)
    with database.connect() as connection:
        stored = connection.execute(sa.select(rows).where(rows.c.user_id == member.id)).one()
    assert token not in str(stored)
    assert (stored.purpose, stored.address, stored.expires_at) == ("password_reset", member.email, NOON + HOUR)


def test_a_token_lasts_an_hour(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new(password=STORED)
    token = mail(database, member)
    assert problem(reset(functions, token, now=NOON + HOUR)) == INVALID
    assert reset(functions, token, now=NOON + HOUR - MOMENT).status == 204


def test_tokens_requested_before_are_invalid_afterwards(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(password=STORED)
    one, two = mail(database, member), mail(database, member)
    assert reset(functions, two, now=NOON + MOMENT).status == 204
    assert problem(reset(functions, one, now=NOON + 2 * MOMENT)) == INVALID
    later = NOON + timedelta(seconds=1)
    with database.connect() as connection:
        unsent = mailed_tokens.make_for_reset(connection, member.id, member.email, asked_at=NOON, now=later)
    assert unsent is None, "the mail was asked for before, and not sent yet"
    assert reset(functions, mail(database, member, later), now=later).status == 204


def test_an_earlier_request_to_change_the_e_mail_is_invalid_afterwards(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    """Who registered with the owner's address, or got into the account, must not keep a door open."""
    member = members.new(password=STORED)
    with database.connect() as connection:
        door = mailed_tokens.make_for_change(connection, member.id, "thief@example.com", asked_at=NOON, now=NOON)
    assert reset(functions, mail(database, member), now=NOON + MOMENT).status == 204
    assert problem(functions.call("verify_email", body={"token": door}, now=NOON + 2 * MOMENT)) == INVALID
    assert row(database, member).email == member.email


def test_during_the_cut_over_passwords_are_written_in_the_legacy_format(
    functions: Functions, members: Members, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load("reset_password")
    monkeypatch.setattr(module, "settings", replace(module.settings, legacy_app=True))
    member = members.new(password=STORED)
    assert reset(functions, mail(database, member)).status == 204
    stored = row(database, member).password
    assert not stored.startswith("$")
    assert passwords.matches(stored, NEW_PASSWORD)


@pytest.mark.parametrize(
    "columns", [{"suspended_at": NOON}, {"erased_at": NOON}, {"email": None, "email_key": None}], ids=str
)
def test_an_account_that_is_closed_or_has_another_address_keeps_its_password(
    functions: Functions, members: Members, database: sa.Engine, columns: dict[str, object]
) -> None:
    member = members.new(password=STORED)
    token = mail(database, member)
    members.change(member, **{name: value or f"new-{member.email}" for name, value in columns.items()})
    assert problem(reset(functions, token)) == INVALID
    assert row(database, member).password == STORED


def test_a_token_for_something_else_sets_nothing(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new(password=STORED, email_verified=False)
    with database.connect() as connection:
        for token in (
            mailed_tokens.make_for_member(connection, member.id, member.email, now=NOON),
            mailed_tokens.make_for_change(connection, member.id, member.email, asked_at=NOON, now=NOON),
        ):
            assert problem(reset(functions, token)) == INVALID
    assert problem(functions.call("verify_email", body={"token": mail(database, member)}, now=NOON)) == INVALID
    assert row(database, member).password == STORED


def test_a_password_that_is_refused_uses_nothing_up(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(password=STORED)
    token = mail(database, member)
    for refused in ("1Q2w3e4r5t6y", member.username.upper(), member.email, "too short", "a" * 129):
        assert pointers(reset(functions, token, refused)) == ["/password"]
    assert row(database, member).password == STORED
    assert reset(functions, token).status == 204


def test_a_token_that_is_not_valid_is_the_answer_before_the_password(functions: Functions) -> None:
    for token in ("", "x", "A" * 43, "é" * 43, "' OR 1=1 --", " "):
        assert problem(reset(functions, token, "1q2w3e4r5t6y")) == INVALID
    assert pointers(reset(functions, "A" * 43, "too short")) == ["/password"], "the form comes first"


@pytest.mark.parametrize(
    ("token", "password", "pointer"),
    [
        ("\x00", NEW_PASSWORD, "/token"),
        ("\ud800", NEW_PASSWORD, "/token"),
        ("a" * 201, NEW_PASSWORD, "/token"),
        (7, NEW_PASSWORD, "/token"),
        (None, NEW_PASSWORD, "/token"),
        ("a", "twelve chars\x00", "/password"),
        ("a", "twelve chars\udfff", "/password"),
        ("a", 123456789012, "/password"),
        ("a", None, "/password"),
    ],
)
def test_a_wrong_form_is_refused(functions: Functions, token: object, password: object, pointer: str) -> None:
    assert pointers(reset(functions, token, password)) == [pointer]

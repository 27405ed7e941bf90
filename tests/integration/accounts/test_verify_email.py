"""Whoever has the mailed token proves the member's e-mail address."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from goatedvips.models.accounts import mailed_tokens, users
from tests.members import Member, Members
from tests.requests import Answer, Functions

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LAST = NOON + timedelta(hours=24) - timedelta(microseconds=1)


def mail(database: sa.Engine, member: Member, purpose: str = "email_verification", address: str | None = None) -> str:
    """A token as the sender makes it."""
    token = secrets.token_urlsafe(32)
    with database.connect() as connection:
        connection.execute(
            sa.insert(mailed_tokens).values(
                purpose=purpose,
                token_hash=hashlib.sha256(token.encode()).digest(),
                address=address or member.email,
                user_id=member.id,
                created_at=NOON,
                expires_at=NOON + timedelta(hours=24),
            )
        )
    return token


def confirm(functions: Functions, token: object, now: datetime = NOON) -> Answer:
    return functions.call("verify_email", body={"token": token}, now=now)


def is_verified(database: sa.Engine, member: Member) -> bool | None:
    with database.connect() as connection:
        return connection.scalar(sa.select(users.c.email_verified).where(users.c.id == member.id))


def refused(answer: Answer) -> bool:
    return (answer.status, answer.json["code"]) == (404, "token_invalid")


@pytest.mark.parametrize("before", [False, None], ids=["ours", "adopted"])
def test_a_token_proves_the_address_once(
    functions: Functions, members: Members, database: sa.Engine, before: bool | None
) -> None:
    member, other = members.new(email_verified=before), members.new(email_verified=False)
    token = mail(database, member)
    answer = confirm(functions, token)
    assert (answer.status, answer.json) == (200, {"email_verified": True})
    assert is_verified(database, member) is True
    assert is_verified(database, other) is False
    assert refused(confirm(functions, token))


def test_a_token_lasts_a_day(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new(email_verified=False)
    token = mail(database, member)
    assert refused(confirm(functions, token, LAST + timedelta(microseconds=1)))
    assert is_verified(database, member) is False
    assert confirm(functions, token, LAST).status == 200


def test_a_token_for_something_else_proves_nothing(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new(email_verified=False)
    assert refused(confirm(functions, mail(database, member, purpose="newsletter_confirmation")))
    assert is_verified(database, member) is False


def test_a_token_of_an_address_that_was_changed_proves_nothing(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(email_verified=False)
    assert refused(confirm(functions, mail(database, member, address=f"old-{member.email}")))
    assert is_verified(database, member) is False


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "é" * 43, "' OR 1=1 --", "gvp_" + "A" * 43, " "])
def test_what_was_never_mailed_proves_nothing(functions: Functions, token: str) -> None:
    assert refused(confirm(functions, token))


@pytest.mark.parametrize("token", ["\x00", "\ud800", "a" * 201, 7, None, ["a"]])
def test_what_is_no_token_at_all_is_refused(functions: Functions, token: object) -> None:
    answer = confirm(functions, token)
    assert answer.status == 422
    assert [error["pointer"] for error in answer.json["errors"]] == ["/token"]

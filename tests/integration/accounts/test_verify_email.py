"""Whoever has the mailed token proves the member's e-mail address."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from goatedvips.domain import erased_identities as identities
from goatedvips.models.accounts import erased_identities, mailed_tokens, users
from tests.support.credentials import MOMENT, mails, row
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LAST = NOON + timedelta(hours=24) - timedelta(microseconds=1)


def mail(
    database: sa.Engine,
    member: Member,
    purpose: str = "email_verification",
    address: str | None = None,
    asked_at: datetime = NOON,
) -> str:
    """A token as the sender makes it."""
    token = secrets.token_urlsafe(32)
    with database.connect() as connection:
        connection.execute(
            sa.insert(mailed_tokens).values(
                purpose=purpose,
                token_hash=hashlib.sha256(token.encode()).digest(),
                address=address or member.email,
                user_id=member.id,
                created_at=asked_at,
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
def test_an_unknown_token_is_invalid(functions: Functions, token: str) -> None:
    assert refused(confirm(functions, token))


@pytest.mark.parametrize("token", ["\x00", "\ud800", "a" * 201, 7, None, ["a"]])
def test_a_malformed_token_is_refused(functions: Functions, token: object) -> None:
    answer = confirm(functions, token)
    assert answer.status == 422
    assert [error["pointer"] for error in answer.json["errors"]] == ["/token"]


def fresh() -> str:
    return f"New-{secrets.token_hex(6)}@Example.com"


@pytest.mark.parametrize("before", [True, False, None], ids=["verified", "unverified", "adopted"])
def test_a_used_link_changes_the_e_mail_and_notifies_the_old_one(
    functions: Functions, members: Members, database: sa.Engine, before: bool | None
) -> None:
    member, other, email = members.new(email_verified=before), members.new(), fresh()
    token = mail(database, member, "email_change", email)
    answer = confirm(functions, token)
    assert (answer.status, answer.json) == (200, {"email_verified": True})
    after = row(database, member)
    assert (after.email, after.email_key, after.email_verified) == (email, email.lower(), True)
    (notification,) = mails(database, member.email)
    assert (notification.kind, notification.user_id, notification.address, notification.due_at) == (
        "email_changed",
        member.id,
        member.email,
        NOON,
    )
    assert row(database, other).email == other.email
    assert refused(confirm(functions, token))
    assert len(mails(database, member.email)) == 1


def test_the_same_address_is_verified_without_a_notice(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(email_verified=False)
    assert confirm(functions, mail(database, member, "email_change")).status == 200
    assert is_verified(database, member) is True
    assert mails(database, member.email) == []


def test_a_new_address_s_token_lasts_a_day(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new()
    token = mail(database, member, "email_change", fresh())
    assert refused(confirm(functions, token, LAST + MOMENT))
    assert confirm(functions, token, LAST).status == 200


def test_changes_requested_before_are_invalid_afterwards(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member, email = members.new(), fresh()
    older = mail(database, member, "email_change", fresh(), NOON - 2 * MOMENT)
    newer = mail(database, member, "email_change", email, NOON - MOMENT)
    assert confirm(functions, newer).status == 200
    assert refused(confirm(functions, older))
    assert row(database, member).email == email
    last = mail(database, member, "email_change", fresh(), NOON + MOMENT)
    assert confirm(functions, last, NOON + MOMENT).status == 200


@pytest.mark.parametrize("column", ["suspended_at", "erased_at", "credentials_changed_at"])
def test_an_account_that_is_closed_or_has_another_password_keeps_its_address(
    functions: Functions, members: Members, database: sa.Engine, column: str
) -> None:
    member = members.new()
    token = mail(database, member, "email_change", fresh())
    members.change(member, **{column: NOON})
    assert refused(confirm(functions, token))
    assert row(database, member).email == member.email
    assert mails(database, member.email) == []


@pytest.mark.parametrize("change", [str, str.upper], ids=["as is", "in capitals"])
def test_an_address_that_was_taken_meanwhile_stays_its_owner_s(
    functions: Functions, members: Members, database: sa.Engine, change: Callable[[str], str]
) -> None:
    member, email = members.new(), fresh()
    token = mail(database, member, "email_change", change(email))
    owner = members.new(email=email, email_key=email.lower())
    answer = confirm(functions, token)
    assert (answer.status, answer.json["code"]) == (409, "email_taken")
    assert row(database, member).email == member.email
    assert mails(database, member.email) == []
    members.change(owner, email=fresh(), email_key=fresh().lower())
    assert confirm(functions, token).status == 200, "it was not used up"


def test_an_exclusion_holds_for_whoever_takes_the_e_mail_of_an_erased_member(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    email, end = fresh(), NOON + timedelta(days=90)
    with database.connect() as connection:
        values = {
            "identity": connection.scalar(sa.select(identities.identity("email", sa.literal(email.upper())))),
            "erased_at": NOON,
            "excluded_until": end,
        }
        connection.execute(sa.insert(erased_identities).values(values))
    for before, after in (
        ({}, (end, False)),
        ({"excluded_until": end - MOMENT}, (end, False)),
        ({"excluded_until": end + MOMENT}, (end + MOMENT, False)),
        ({"excluded_permanently": True}, (None, True)),
    ):
        member = members.new(**before)
        assert confirm(functions, mail(database, member, "email_change", email)).status == 200
        now = row(database, member)
        assert (now.excluded_until, now.excluded_permanently) == after
        members.change(member, email=member.email, email_key=member.email)
    plain = members.new()
    assert confirm(functions, mail(database, plain, "email_change", fresh())).status == 200
    assert (row(database, plain).excluded_until, row(database, plain).excluded_permanently) == (None, False)


def test_an_excluded_member_does_not_escape_by_giving_the_address_up(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    for columns in ({"excluded_permanently": True}, {"excluded_until": NOON + timedelta(days=90)}, {}):
        member = members.new(**columns)
        assert confirm(functions, mail(database, member, "email_change", fresh())).status == 200
        other = members.new()
        assert confirm(functions, mail(database, other, "email_change", member.email.upper())).status == 200
        now, was = row(database, other), row(database, member)
        assert (now.excluded_until, now.excluded_permanently) == (was.excluded_until, was.excluded_permanently)

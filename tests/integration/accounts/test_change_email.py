"""A member wishes to be reached at another address."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.accounts import passwords
from goatedvips.models.operations import idempotency_records
from tests.support.credentials import (
    BY_NODE,
    NOON,
    PASSWORD,
    STORED,
    compose_mail,
    count_attempts,
    mails,
    network_address,
    pointers,
    problem,
    row,
    token_in,
)
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

HOUR = timedelta(hours=1)


def fresh() -> str:
    return f"New-{secrets.token_hex(6)}@Example.com"


def change(
    functions: Functions, member: Member | None, email: object, password: object = PASSWORD, **changes: Any
) -> Answer:
    body = {"email": email, "current_password": password}
    given: dict[str, Any] = {"address": network_address(), "now": NOON} | changes
    return functions.call("change_email", by=member, body=body, **given)


@pytest.mark.parametrize("stored", [STORED, BY_NODE], ids=["argon2", "scrypt"])
def test_it_counts_once_the_link_is_used_that_the_new_address_gets(
    functions: Functions, members: Members, database: sa.Engine, stored: str
) -> None:
    member, email = members.new(password=stored), fresh()
    before = row(database, member)
    answer = change(functions, member, email)
    assert (answer.status, answer.json) == (202, {"status": "requested"})
    assert row(database, member) == before
    (mail,) = mails(database, email)
    assert (mail.kind, mail.user_id, mail.address, mail.payload) == ("email_change", member.id, email, {})
    assert mails(database, member.email) == []
    token = token_in(compose_mail(database, mail), "/verify")
    assert functions.call("verify_email", body={"token": token}, now=NOON).status == 200
    assert row(database, member).email == email
    assert count_attempts(database, member.id, "log_in") == 0, "the attempt was taken back"


def test_a_wrong_password_queues_no_mail_and_stays_counted(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member, email = members.new(password=STORED), fresh()
    assert problem(change(functions, member, email, "a wrong password")) == (401, "invalid_credentials")
    assert mails(database, email) == []
    assert count_attempts(database, member.id, "log_in") == 1


@pytest.mark.parametrize("spelling", [str, str.upper, str.lower], ids=["as is", "upper", "lower"])
def test_an_address_that_is_taken_is_refused_in_any_spelling(
    functions: Functions, members: Members, database: sa.Engine, spelling: Callable[[str], str]
) -> None:
    email = fresh()
    owner = members.new(email=email, email_key=email.lower())
    member = members.new(password=STORED)
    assert problem(change(functions, member, spelling(owner.email))) == (409, "email_taken")
    assert mails(database, email) == []
    assert count_attempts(database, member.id, "log_in") == 0, "the password was right"


def test_an_adopted_row_without_a_key_still_has_its_spelling(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    email = fresh()
    older = members.new(email=email.upper(), email_key=email.lower())
    younger = members.new(email=email, email_key=None)
    with database.connect() as connection:  # as where the older one has another address since
        connection.execute(sa.text("ALTER TABLE users DISABLE TRIGGER USER"))
        members.change(older, email=f"x{email}", email_key=f"x{email}".lower())
        connection.execute(sa.text("ALTER TABLE users ENABLE TRIGGER USER"))
    assert row(database, younger).email_key is None
    assert problem(change(functions, members.new(password=STORED), email)) == (409, "email_taken")


def test_one_s_own_address_may_be_written_in_another_case(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(password=STORED)
    assert change(functions, member, member.email.title()).status == 202
    (mail,) = mails(database, member.email)
    token = token_in(compose_mail(database, mail), "/verify")
    assert functions.call("verify_email", body={"token": token}, now=NOON).status == 200
    after = row(database, member)
    assert (after.email, after.email_key) == (member.email.title(), member.email.lower())


def test_the_case_of_one_s_own_address_counts_as_the_member_s_own_request(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    email = fresh()
    for _ in range(3):
        assert change(functions, members.new(password=STORED), email).status == 202
    owner = members.new(email=email, email_key=email.lower(), password=STORED)
    assert change(functions, owner, email.upper()).status == 202
    assert [mail.user_id for mail in mails(database, email)][3:] == [owner.id]


def test_requests_that_reveal_accounts_are_throttled_as_registrations_are(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member, taken, at = members.new(password=STORED), members.new(), network_address()
    form = {"username": f"goat-{secrets.token_hex(6)}", "email": taken.email, "password": PASSWORD}
    for count in range(10):
        if count % 2:
            assert change(functions, member, taken.email, address=at).status == 409
        else:
            assert functions.call("register", body=form, address=at, now=NOON).status == 409
    refused = change(functions, member, fresh(), address=at)
    assert problem(refused) == (429, "too_many_attempts")
    assert refused.headers["Retry-After"] == "3600"
    assert count_attempts(database, member.id, "log_in") == 0
    assert change(functions, member, fresh()).status == 202, "from elsewhere"


def test_guesses_count_as_those_at_log_in(functions: Functions, members: Members) -> None:
    member, at = members.new(password=STORED), network_address()
    for count in range(10):
        if count % 2:
            body = {"login": member.username, "password": "wrong"}
            assert functions.call("log_in", body=body, address=at, now=NOON).status == 401
        else:
            assert change(functions, member, fresh(), "wrong", address=at).status == 401
    assert problem(change(functions, member, fresh(), address=at)) == (429, "too_many_attempts")


def test_an_address_gets_three_mails_an_hour(functions: Functions, members: Members, database: sa.Engine) -> None:
    email = fresh()
    for _ in range(5):
        assert change(functions, members.new(password=STORED), email).json == {"status": "requested"}
    assert len(mails(database, email)) == 3
    functions.call("request_password_reset", body={"email": email}, now=NOON + HOUR / 2)
    change(functions, members.new(password=STORED), email.upper(), now=NOON + HOUR)
    assert len(mails(database, email)) == 4


def test_a_key_means_nothing_here_and_leaves_no_trace_of_the_password(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(password=STORED)
    for email in (fresh(), fresh()):
        answer = change(functions, member, email, headers={"idempotency-key": "same"})
        assert answer.status == 202
        assert len(mails(database, email)) == 1
    with database.connect() as connection:
        records = sa.select(idempotency_records).where(idempotency_records.c.user_id == member.id)
        assert connection.execute(records).all() == []


@pytest.mark.parametrize(
    ("columns", "refusal"),
    [
        ({"password": passwords.hash_password("somebody else was faster", legacy=False)}, (401, "invalid_credentials")),
        ({"suspended_at": NOON}, (403, "account_suspended")),
    ],
    ids=["changed", "suspended"],
)
def test_a_change_during_the_comparison_of_the_password_is_seen(
    functions: Functions,
    members: Members,
    database: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
    columns: dict[str, object],
    refusal: tuple[int, str],
) -> None:
    member, email = members.new(password=STORED), fresh()
    real = passwords.verify

    def verify(stored: str | None, password: str) -> None:
        real(stored, password)
        members.change(member, **columns)

    monkeypatch.setattr(passwords, "verify", verify)
    assert problem(change(functions, member, email)) == refusal
    assert mails(database, email) == []


def test_only_a_signed_in_member_is_allowed(functions: Functions, members: Members, database: sa.Engine) -> None:
    email = fresh()
    assert problem(change(functions, None, email)) == (401, "unauthenticated")
    ended = members.new(password=STORED)
    members.end_session(ended)
    assert problem(change(functions, ended, email)) == (401, "unauthenticated")
    suspended = members.new(password=STORED, suspended_at=NOON)
    assert problem(change(functions, suspended, email)) == (403, "account_suspended")
    assert mails(database, email) == []


@pytest.mark.parametrize(
    ("email", "password", "pointer"),
    [
        ("goat", PASSWORD, "/email"),
        ("goat@example.com\r\nBcc: all@example.com", PASSWORD, "/email"),
        ("goat@example.com\x00", PASSWORD, "/email"),
        (None, PASSWORD, "/email"),
        ("goat@example.com", "", "/current_password"),
        ("goat@example.com", "\x00", "/current_password"),
        ("goat@example.com", 7, "/current_password"),
        ("goat@example.com", None, "/current_password"),
    ],
)
def test_a_wrong_form_is_refused(
    functions: Functions, members: Members, email: object, password: object, pointer: str
) -> None:
    assert pointers(change(functions, members.new(password=STORED), email, password)) == [pointer]

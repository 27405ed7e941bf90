"""Anyone asks for a link to set a new password."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.support.credentials import MOMENT, NOON, compose_mail, count_mail_requests, mails, pointers, token_in
from tests.support.functions import Answer, Functions
from tests.support.members import Members

HOUR = timedelta(hours=1)


def ask(functions: Functions, email: object, now: datetime = NOON) -> Answer:
    return functions.call("request_password_reset", body={"email": email}, now=now)


@pytest.mark.parametrize("spelling", [str, str.upper, str.title], ids=["as written", "in capitals", "mixed"])
def test_a_link_is_mailed_to_the_account_s_own_address(
    functions: Functions, members: Members, database: sa.Engine, spelling: Callable[[str], str]
) -> None:
    member = members.new()
    answer = ask(functions, spelling(member.email))
    assert (answer.status, answer.json) == (202, {"status": "requested"})
    (mail,) = mails(database, member.email)
    assert (mail.kind, mail.user_id, mail.address, mail.payload) == ("password_reset", member.id, member.email, {})
    token = token_in(compose_mail(database, mail), "/reset")
    assert len(token) == 43, "256 bits"


def test_an_unknown_address_is_answered_alike_and_gets_nothing(functions: Functions, database: sa.Engine) -> None:
    email = f"nobody-{secrets.token_hex(6)}@example.com"
    answer = ask(functions, email.upper())
    assert (answer.status, answer.json) == (202, {"status": "requested"})
    assert mails(database, email) == []
    assert count_mail_requests(database, email, "no_mail") == 1, "it is written as much"
    assert count_mail_requests(database, email) == 0, "it uses nothing up"


@pytest.mark.parametrize("column", ["suspended_at", "erased_at"])
def test_a_closed_account_is_answered_alike_and_gets_nothing(
    functions: Functions, members: Members, database: sa.Engine, column: str
) -> None:
    closed = members.new(**{column: NOON})  # type: ignore[arg-type]
    assert ask(functions, closed.email).json == {"status": "requested"}
    assert mails(database, closed.email) == []


def test_the_exact_spelling_is_preferred(functions: Functions, members: Members, database: sa.Engine) -> None:
    tail = secrets.token_hex(6)
    older = members.new(email=f"ANN{tail}@example.com", email_key=f"ann{tail}@example.com")
    younger = members.new(email=f"Ann{tail}@example.com", email_key=None)
    for email in (younger.email, older.email, f"ann{tail}@example.com"):
        ask(functions, email)
    assert [mail.user_id for mail in mails(database, older.email)] == [younger.id, older.id, older.id]


def test_an_address_gets_three_reset_mails_an_hour_in_whatever_case_it_is_written(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(email_verified=False)
    ask(functions, member.email)
    for _ in range(5):
        assert ask(functions, member.email.upper()).json == {"status": "requested"}
    ask(functions, member.email, NOON + HOUR - MOMENT)
    assert [mail.kind for mail in mails(database, member.email)] == ["password_reset"] * 3
    ask(functions, member.email, NOON + HOUR)
    assert len(mails(database, member.email)) == 4


def test_resets_that_anybody_asks_for_do_not_use_up_the_member_s_verification_mails(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(email_verified=False)
    for _ in range(4):
        ask(functions, member.email)
    functions.call("request_verification", by=member, now=NOON)
    assert [mail.kind for mail in mails(database, member.email)] == ["password_reset"] * 3 + ["verification"]


def test_an_idempotency_key_is_ignored(functions: Functions, members: Members, database: sa.Engine) -> None:
    for member in (members.new(), members.new()):
        headers = {"idempotency-key": "same"}
        functions.call("request_password_reset", body={"email": member.email}, headers=headers)
        assert len(mails(database, member.email)) == 1


@pytest.mark.parametrize(
    "email", ["", "goat", "a@b@example.com", "a@example.com\x00", "\ud800@example.com", "a" * 300, 7, None, ["a@b.cd"]]
)
def test_an_invalid_e_mail_is_refused(functions: Functions, email: object) -> None:
    assert pointers(ask(functions, email)) == ["/email"]


def test_nothing_but_an_address_can_be_given(functions: Functions) -> None:
    body = {"email": "a@example.com", "user_id": 1}
    assert pointers(functions.call("request_password_reset", body=body)) == ["/user_id"]

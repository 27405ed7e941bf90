"""A member asks once more for the mail that verifies their address."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.support.credentials import MOMENT, NOON, compose_mail, count_mail_requests, mails, problem, row, token_in
from tests.support.functions import Functions
from tests.support.members import Members

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("before", [False, None], ids=["ours", "adopted"])
def test_a_link_is_mailed_that_verifies(
    functions: Functions, members: Members, database: sa.Engine, before: bool | None
) -> None:
    member = members.new(email_verified=before)
    answer = functions.call("request_verification", by=member)
    assert (answer.status, answer.json) == (202, {"status": "requested"})
    (mail,) = mails(database, member.email)
    assert (mail.kind, mail.user_id, mail.address, mail.payload) == ("verification", member.id, member.email, {})
    assert mail.due_at == mail.created_at
    token = token_in(compose_mail(database, mail, mail.created_at), "/verify")
    assert functions.call("verify_email", body={"token": token}, now=mail.created_at).status == 200
    assert row(database, member).email_verified is True


def test_a_verified_address_is_answered_alike_and_gets_nothing(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new()
    answer = functions.call("request_verification", by=member)
    assert (answer.status, answer.json) == (202, {"status": "requested"})
    assert mails(database, member.email) == []
    assert count_mail_requests(database, member.email) == 0


def test_an_address_gets_three_mails_an_hour(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new(email_verified=False)
    for minutes, sent in ((0, 1), (10, 2), (20, 3), (30, 3), (59, 3)):
        now = NOON + timedelta(minutes=minutes)
        assert functions.call("request_verification", by=member, now=now).status == 202
        assert len(mails(database, member.email)) == sent
    functions.call("request_verification", by=member, now=NOON + HOUR - MOMENT)
    assert len(mails(database, member.email)) == 3
    functions.call("request_verification", by=member, now=NOON + HOUR)
    assert len(mails(database, member.email)) == 4, "of the refused ones none was counted"
    functions.call("request_verification", by=member, now=NOON + HOUR)
    assert len(mails(database, member.email)) == 4


def test_an_idempotency_key_makes_one_request(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new(email_verified=False)
    first, again = (
        functions.call("request_verification", by=member, headers={"idempotency-key": "k"}) for _ in range(2)
    )
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.status, again.text) == (first.status, first.text)
    assert len(mails(database, member.email)) == 1


def test_only_a_signed_in_member_is_allowed(functions: Functions, members: Members, database: sa.Engine) -> None:
    assert problem(functions.call("request_verification")) == (401, "unauthenticated")
    ended = members.new(email_verified=False)
    members.end_session(ended)
    assert problem(functions.call("request_verification", by=ended)) == (401, "unauthenticated")
    suspended = members.new(email_verified=False, suspended_at=NOON)
    assert problem(functions.call("request_verification", by=suspended)) == (403, "account_suspended")
    assert mails(database, ended.email) == mails(database, suspended.email) == []


def test_another_address_than_one_s_own_cannot_be_given(functions: Functions, members: Members) -> None:
    answer = functions.call("request_verification", by=members.new(), body={"email": "a@example.com"})
    assert answer.status == 422

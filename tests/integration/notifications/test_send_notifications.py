"""The mail that waits in the outbox is sent."""

import re
import secrets
from copy import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from goatedvips import mail_delivery
from goatedvips.config import settings
from goatedvips.domain.notifications import sending
from goatedvips.domain.notifications.sending import LEASE, TRIES
from goatedvips.models.accounts import mailed_tokens
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions
from goatedvips.models.notifications import outbox
from tests.integration.notifications.conftest import (
    MOMENT,
    NONE,
    NOON,
    Run,
    Send,
    Sent,
    put,
    row,
    ticket,
    verification,
)
from tests.support.functions import Functions
from tests.support.members import Members


def test_a_verification_mail_has_a_token_that_is_nowhere_else(
    database: sa.Engine, members: Members, functions: Functions, send: Send, sent: Sent
) -> None:
    member, mail_id = verification(database, members)
    assert send() == NONE | {"sent": 1}
    (mail,) = sent()
    assert mail.destinations == {"ToAddresses": [member.email]}
    assert mail.source == "GoatedVIPs <no-reply@goatedvips.example>"
    (token,) = re.findall(r'http://127\.0\.0\.1:3000/verify#token=([\w-]{43})"', mail.body)
    after = row(database, mail_id)
    assert (after.sent_at, after.attempts, after.leased_until, after.last_error) == (NOON, 1, None, None)
    with database.connect() as connection:
        everything = [list(connection.execute(sa.select(table))) for table in (outbox, mailed_tokens)]
    assert token not in str(everything)
    assert functions.call("verify_email", body={"token": token}, now=NOON).status == 200


@pytest.mark.parametrize("kind", ["password_reset", "email_change"])
def test_a_reset_or_change_mail_has_a_token_that_is_nowhere_else(
    database: sa.Engine, members: Members, functions: Functions, send: Send, sent: Sent, kind: str
) -> None:
    member = members.new(seeds=False)
    page, email, hours, confirmed_by = (
        ("reset", member.email, 1, "reset_password")
        if kind == "password_reset"
        else ("verify", f"new-{member.email}", 24, "verify_email")
    )
    put(database, kind, user_id=member.id, address=email)
    now = NOON + timedelta(minutes=30)
    assert send(now)["sent"] == 1
    (mail,) = sent()
    assert mail.destinations == {"ToAddresses": [email]}
    (token,) = re.findall(rf'http://127\.0\.0\.1:3000/{page}#token=([\w-]{{43}})"', mail.body)
    with database.connect() as connection:
        everything = [list(connection.execute(sa.select(table))) for table in (outbox, mailed_tokens)]
        stored = connection.execute(sa.select(mailed_tokens).where(mailed_tokens.c.user_id == member.id)).one()
    assert token not in str(everything)
    assert (stored.created_at, stored.expires_at) == (NOON, now + timedelta(hours=hours)), "asked for, and dead"
    body = {"token": token} | ({"password": "sheep prefer short ones"} if page == "reset" else {})
    assert functions.call(confirmed_by, body=body, now=now).status in (200, 204)


def test_the_previous_address_learns_of_a_change(database: sa.Engine, members: Members, send: Send, sent: Sent) -> None:
    member = members.new(seeds=False)
    put(database, "email_changed", user_id=member.id, address="old@example.com")
    assert send()["sent"] == 1
    (mail,) = sent()
    assert mail.destinations == {"ToAddresses": ["old@example.com"]}
    assert member.email not in mail.body


@pytest.mark.parametrize("kind", ["password_reset", "email_change"])
@pytest.mark.parametrize("column", ["suspended_at", "erased_at", "credentials_changed_at"])
def test_a_link_that_would_not_work_is_not_sent(
    database: sa.Engine, members: Members, send: Send, sent: Sent, kind: str, column: str
) -> None:
    member = members.new(seeds=False, **{column: NOON})  # type: ignore[arg-type]
    put(database, kind, user_id=member.id, address=member.email)
    assert send() == NONE | {"dropped": 1}
    assert sent() == []


def test_the_mailed_link_confirms_a_subscription(
    database: sa.Engine, functions: Functions, send: Send, sent: Sent
) -> None:
    email = f"reader-{secrets.token_hex(6)}@example.com"
    functions.call("subscribe", body={"email": email}, now=NOON)
    assert send()["sent"] == 1
    (mail,) = sent()
    (token,) = re.findall(r'/newsletter/confirm#token=([\w-]{43})"', mail.body)
    assert functions.call("confirm_subscription", body={"token": token}, now=NOON).json["email"] == email


def test_mail_that_is_no_longer_wanted_is_dropped_and_stays_with_the_reason(
    database: sa.Engine, members: Members, send: Send, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified, one = verification(database, members)
    members.change(verified, email_verified=True)
    moved, two = verification(database, members)
    members.change(moved, email=f"new-{moved.email}", email_key=f"new-{moved.email}")
    three = put(database, "newsletter_confirmation", address="gone@example.com", payload={"subscription_id": 2**31 - 1})
    with database.connect() as connection:
        values = {"email": f"{secrets.token_hex(6)}@example.com", "is_subscribed": True}
        subscription = connection.execute(sa.insert(subscriptions).values(values).returning(subscriptions)).one()
    payload = {"subscription_id": subscription.id}
    four = put(database, "newsletter_confirmation", address=subscription.email, payload=payload)
    monkeypatch.setattr(mail_delivery, "settings", replace(settings, staff_address=""))
    _, five = ticket(database, members.new(seeds=False))
    assert send() == NONE | {"dropped": 5}
    assert sent() == []
    with database.connect() as connection:
        stored = sa.select(outbox.c.dropped_at, outbox.c.dropped_reason, outbox.c.leased_until, outbox.c.sent_at)
        rows = connection.execute(
            stored.where(outbox.c.id.in_([one, two, three, four, five])).order_by(outbox.c.id)
        ).all()
    assert [row.dropped_reason for row in rows] == ["no_longer_wanted"] * 4 + ["no_staff_address"]
    assert {(row.dropped_at.replace(microsecond=0), row.leased_until, row.sent_at) for row in rows} == {
        (NOON, None, None)
    }
    assert send(NOON + timedelta(days=1)) == NONE, "a dropped row does not wait any more"


def test_no_mail_is_sent_before_it_is_due(database: sa.Engine, members: Members, send: Send, sent: Sent) -> None:
    verification(database, members, due_at=NOON + MOMENT)
    assert send(NOON, Run(looks=2))["sent"] == 0
    assert send(NOON + MOMENT)["sent"] == 1


def test_after_a_crash_a_mail_is_sent_again_once_its_lease_has_expired(
    database: sa.Engine, members: Members, send: Send, sent: Sent
) -> None:
    _, mail_id = verification(database, members)
    with database.connect() as connection:
        (leased,) = sending.lease(connection, 10, rate=14, now=NOON)
    assert leased.id == mail_id
    assert send(NOON + LEASE - MOMENT, Run(looks=2))["sent"] == 0
    assert send(NOON + LEASE)["sent"] == 1
    assert row(database, mail_id).attempts == 2


def test_a_mail_whose_leases_all_expired_is_given_up(
    database: sa.Engine, members: Members, send: Send, sent: Sent
) -> None:
    _, mail_id = verification(database, members, attempts=TRIES, leased_until=NOON)
    assert send() == NONE | {"given_up": 1}
    assert row(database, mail_id).last_error == "LeaseExpired"
    assert sent() == []


def test_a_run_ends_with_its_time_and_puts_back_what_it_did_not_try(
    database: sa.Engine, members: Members, send: Send, sent: Sent
) -> None:
    ids = [verification(database, members)[1] for _ in range(3)]
    assert send(context=Run(looks=3))["sent"] == 2
    left = row(database, ids[2])
    assert (left.attempts, left.leased_until, left.sent_at) == (0, None, None)
    assert send()["sent"] == 1


def test_a_member_is_told_that_their_link_has_ended_at_an_address_that_is_still_theirs(
    database: sa.Engine, members: Members, send: Send, sent: Sent
) -> None:
    member = members.new(seeds=False)
    payload = {"uid": "goat-<1>", "reason": "It is their sister's."}
    for email in (member.email, "old@example.com"):
        put(database, "link_ended", user_id=member.id, address=email, payload=payload)
    assert send() == NONE | {"sent": 1, "dropped": 1}
    (mail,) = sent()
    assert mail.destinations == {"ToAddresses": [member.email]}
    assert "goat-&lt;1&gt;" in mail.body
    assert "sister" in mail.body

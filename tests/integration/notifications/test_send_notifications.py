"""The mail that waits in the outbox is sent."""

import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)
from moto import mock_aws
from moto.core.base_backend import BackendDict
from moto.sesv2.models import sesv2_backends

from goatedvips import mail_delivery as delivery
from goatedvips.clients import ses
from goatedvips.config import settings
from goatedvips.domain.notifications import sending as domain
from goatedvips.domain.notifications.mail_texts import Message
from goatedvips.domain.notifications.sending import FIRST_PAUSE, LEASE, TRIES
from goatedvips.models.accounts import mailed_tokens
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions
from goatedvips.models.notifications import outbox
from goatedvips.models.tickets import support_tickets
from tests.support import stack
from tests.support.functions import Functions, load
from tests.support.members import Member, Members

type Send = Callable[..., dict[str, int]]
type Sent = Callable[[], list[Any]]

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


@dataclass
class Run:
    """Lambda's context, whose time goes by as the sender looks at it."""

    looks: int = 30
    function_name: str = "SendNotificationsFunction"
    aws_request_id: str = "run"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:test"
    slept: list[float] = field(default_factory=list)

    def get_remaining_time_in_millis(self) -> int:
        self.looks -= 1
        return 60_000 if self.looks >= 0 else 9_999


@pytest.fixture(autouse=True)
def empty_outbox(database: sa.Engine) -> None:
    with database.connect() as connection:
        connection.execute(sa.delete(outbox))


@pytest.fixture
def sent() -> Iterator[Sent]:
    """What SES, as moto plays it, was given."""
    ses._client.cache_clear()
    with mock_aws():
        ses._client().create_email_identity(EmailIdentity="goatedvips.example")
        backends: BackendDict[Any] = sesv2_backends
        yield lambda: backends["123456789012"]["us-east-1"].core_backend.sent_messages
    ses._client.cache_clear()


@pytest.fixture
def send(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Send:
    """One run of the sender at an instant."""

    def run(now: datetime = NOON, context: Run | None = None) -> dict[str, int]:
        context = context or Run()
        functions.set_clock("send_notifications", now)
        monkeypatch.setattr(load("send_notifications"), "sleep", context.slept.append)
        done: dict[str, int] = load("send_notifications").handler({"scheduled_time": "2026-05-01T12:00:00Z"}, context)
        return done

    return run


def put(database: sa.Engine, kind: str, **columns: object) -> int:
    with database.connect() as connection:
        row = {"kind": kind, "created_at": NOON, "due_at": NOON} | columns
        mail_id: int = connection.execute(sa.insert(outbox).values(row).returning(outbox.c.id)).scalar_one()
    return mail_id


def row(database: sa.Engine, mail_id: int) -> sa.Row[Any]:
    with database.connect() as connection:
        return connection.execute(sa.select(outbox).where(outbox.c.id == mail_id)).one()


def verification(database: sa.Engine, members: Members, **columns: object) -> tuple[Member, int]:
    member = members.new(email_verified=False, seeds=False)
    return member, put(database, "verification", user_id=member.id, address=member.email, **columns)


def ticket(database: sa.Engine, members: Members, subject: str = "Where is my bonus?") -> int:
    with database.connect() as connection:
        made = sa.insert(support_tickets).values(
            user_id=members.new(seeds=False).id, subject=subject, description="<b>Help</b>"
        )
        ticket_id: int = connection.execute(made.returning(support_tickets.c.id)).scalar_one()
    return put(database, "ticket_opened", payload={"ticket_id": ticket_id})


def test_a_verification_mail_carries_a_token_that_only_it_holds(
    database: sa.Engine, members: Members, functions: Functions, send: Send, sent: Sent
) -> None:
    member, mail_id = verification(database, members)
    assert send() == {"sent": 1, "dropped": 0, "retried": 0, "given_up": 0}
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
def test_a_link_to_a_member_carries_a_token_that_only_it_holds(
    database: sa.Engine, members: Members, functions: Functions, send: Send, sent: Sent, kind: str
) -> None:
    member = members.new(seeds=False)
    page, address, hours, confirmed_by = (
        ("reset", member.email, 1, "reset_password")
        if kind == "password_reset"
        else ("verify", f"new-{member.email}", 24, "verify_email")
    )
    put(database, kind, user_id=member.id, address=address)
    now = NOON + timedelta(minutes=30)
    assert send(now)["sent"] == 1
    (mail,) = sent()
    assert mail.destinations == {"ToAddresses": [address]}
    (token,) = re.findall(rf'http://127\.0\.0\.1:3000/{page}#token=([\w-]{{43}})"', mail.body)
    with database.connect() as connection:
        everything = [list(connection.execute(sa.select(table))) for table in (outbox, mailed_tokens)]
        kept = connection.execute(sa.select(mailed_tokens).where(mailed_tokens.c.user_id == member.id)).one()
    assert token not in str(everything)
    assert (kept.created_at, kept.expires_at) == (NOON, now + timedelta(hours=hours)), "asked for, and dead"
    body = {"token": token} | ({"password": "sheep prefer short ones"} if page == "reset" else {})
    assert functions.call(confirmed_by, body=body, now=now).status in (200, 204)


def test_who_had_an_address_before_is_told(database: sa.Engine, members: Members, send: Send, sent: Sent) -> None:
    member = members.new(seeds=False)
    put(database, "email_changed", user_id=member.id, address="old@example.com")
    assert send()["sent"] == 1
    (mail,) = sent()
    assert mail.destinations == {"ToAddresses": ["old@example.com"]}
    assert member.email not in mail.body


@pytest.mark.parametrize("kind", ["password_reset", "email_change"])
@pytest.mark.parametrize("column", ["suspended_at", "erased_at", "credentials_changed_at"])
def test_a_link_that_would_be_dead_is_not_sent(
    database: sa.Engine, members: Members, send: Send, sent: Sent, kind: str, column: str
) -> None:
    member = members.new(seeds=False, **{column: NOON})  # type: ignore[arg-type]
    put(database, kind, user_id=member.id, address=member.email)
    assert send() == {"sent": 0, "dropped": 1, "retried": 0, "given_up": 0}
    assert sent() == []


def test_a_subscription_is_confirmed_by_what_was_mailed(
    database: sa.Engine, functions: Functions, send: Send, sent: Sent
) -> None:
    email = f"reader-{secrets.token_hex(6)}@example.com"
    functions.call("subscribe", body={"email": email}, now=NOON)
    assert send()["sent"] == 1
    (mail,) = sent()
    (token,) = re.findall(r'/newsletter/confirm#token=([\w-]{43})"', mail.body)
    assert functions.call("confirm_subscription", body={"token": token}, now=NOON).json["email"] == email


def test_staff_are_told_of_a_ticket_in_one_line_and_escaped(
    database: sa.Engine, members: Members, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages: list[Message] = []
    monkeypatch.setattr(ses, "send", lambda *parts: messages.append(Message(*parts)))
    ticket(database, members, "Hi\r\nBcc: everyone@example.com <script>")
    assert send()["sent"] == 1
    (message,) = messages
    assert message.to == "staff@goatedvips.example"
    assert re.fullmatch(r"Ticket #\d+: Hi Bcc: everyone@example.com <script>", message.subject)
    assert "<b>Help</b>" in message.text
    assert "&lt;b&gt;Help&lt;/b&gt;" in message.html
    assert "<script>" not in message.html


def test_mail_that_nobody_waits_for_any_more_is_dropped(
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
    monkeypatch.setattr(delivery, "settings", replace(settings, staff_address=""))
    five = ticket(database, members)
    assert send() == {"sent": 0, "dropped": 5, "retried": 0, "given_up": 0}
    assert sent() == []
    with database.connect() as connection:
        left = sa.select(outbox.c.id).where(outbox.c.id.in_([one, two, three, four, five]))
        assert connection.execute(left).all() == []


def test_what_fails_is_tried_again_ever_later_and_given_up_after_eight_tries(
    database: sa.Engine, members: Members, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Message] = []

    def refuse(*parts: str) -> None:
        message = Message(*parts)
        tried.append(message)
        raise ClientError({"Error": {"Code": "TooManyRequests", "Message": message.text}}, "SendEmail")

    monkeypatch.setattr(ses, "send", refuse)
    _, mail_id = verification(database, members)
    now, pauses = NOON, []
    for attempt in range(1, TRIES + 1):
        done = send(now)
        assert done["given_up" if attempt == TRIES else "retried"] == 1
        after = row(database, mail_id)
        assert (after.attempts, after.leased_until) == (attempt, None)
        assert after.last_error == "ClientError TooManyRequests", "no message, which may quote the token"
        if attempt < TRIES:
            assert after.failed_at is None
            assert send(after.due_at - MOMENT)["retried"] == 0
            pauses.append(after.due_at - now)
            now = after.due_at
    assert pauses == [FIRST_PAUSE * 2**turn for turn in range(TRIES - 1)]
    assert row(database, mail_id).failed_at == now
    assert sum(send(now + timedelta(days=365)).values()) == 0
    assert len(tried) == TRIES


@pytest.mark.parametrize("failure", [EndpointConnectionError, ReadTimeoutError, ConnectionClosedError])
def test_one_bad_mail_keeps_none_back(
    database: sa.Engine, members: Members, send: Send, monkeypatch: pytest.MonkeyPatch, failure: type[HTTPClientError]
) -> None:
    reached: list[str] = []

    def deliver(to: str, *_: str) -> None:
        if to == bad.email:
            raise failure(endpoint_url="https://email.us-east-1.amazonaws.com")
        reached.append(to)

    monkeypatch.setattr(ses, "send", deliver)
    unknown = put(database, "telegram")
    bad, _ = verification(database, members)
    good, _ = verification(database, members)
    assert send() == {"sent": 1, "dropped": 0, "retried": 2, "given_up": 0}
    assert reached == [good.email]
    assert row(database, unknown).last_error == "LookupError"


def test_a_mail_is_not_sent_before_it_is_due(database: sa.Engine, members: Members, send: Send, sent: Sent) -> None:
    verification(database, members, due_at=NOON + MOMENT)
    assert send(NOON)["sent"] == 0
    assert send(NOON + MOMENT)["sent"] == 1


def test_after_a_crash_a_mail_is_sent_again_when_its_lease_has_lapsed(
    database: sa.Engine, members: Members, send: Send, sent: Sent
) -> None:
    _, mail_id = verification(database, members)
    with database.connect() as connection:
        (leased,) = domain.lease(connection, 10, now=NOON)
    assert leased.id == mail_id
    assert send(NOON + LEASE - MOMENT)["sent"] == 0
    assert send(NOON + LEASE)["sent"] == 1
    assert row(database, mail_id).attempts == 2


def test_a_mail_that_kills_its_sender_is_given_up_too(
    database: sa.Engine, members: Members, send: Send, sent: Sent
) -> None:
    _, mail_id = verification(database, members, attempts=TRIES, leased_until=NOON)
    assert send() == {"sent": 0, "dropped": 0, "retried": 0, "given_up": 1}
    assert row(database, mail_id).last_error == "LeaseLapsed"
    assert sent() == []


def test_the_run_ends_with_its_time_and_gives_back_what_it_did_not_try(
    database: sa.Engine, members: Members, send: Send, sent: Sent
) -> None:
    ids = [verification(database, members)[1] for _ in range(3)]
    assert send(context=Run(looks=3))["sent"] == 2
    left = row(database, ids[2])
    assert (left.attempts, left.leased_until, left.sent_at) == (0, None, None)
    assert send()["sent"] == 1


def test_it_looks_every_two_seconds_and_stays_under_the_rate(
    database: sa.Engine, members: Members, send: Send, sent: Sent
) -> None:
    context = Run(looks=5)
    send(context=context)
    assert context.slept == [2.0] * 5
    for _ in range(15):
        verification(database, members)
    busy = Run(looks=40)
    assert send(context=busy)["sent"] == 15
    assert sum(busy.slept) >= 15 / 14


def test_a_run_takes_what_another_has_not_and_does_not_wait_for_it(
    servers: stack.Stack, database: sa.Engine, members: Members
) -> None:
    ids = [verification(database, members)[1] for _ in range(3)]
    url = sa.make_url(servers.direct(database.url.database or "")).set(drivername="postgresql+oneflight")
    engine = sa.create_engine(url)
    with engine.begin() as one, engine.begin() as other:
        other.execute(sa.text("SET LOCAL lock_timeout = '2s'"))
        assert [mail.id for mail in domain.lease(one, 2, now=NOON)] == ids[:2]
        assert [mail.id for mail in domain.lease(other, 10, now=NOON)] == ids[2:]
    engine.dispose()


def test_two_runs_at_once_send_each_mail_once(servers: stack.Stack, database: sa.Engine, members: Members) -> None:
    ids = sorted(verification(database, members)[1] for _ in range(40))
    url = sa.make_url(servers.direct(database.url.database or "")).set(drivername="postgresql+oneflight")
    engine = sa.create_engine(url, pool_size=8)
    barrier = Barrier(8)

    def run(_: int) -> list[int]:
        taken: list[int] = []
        barrier.wait()
        while True:
            with engine.begin() as connection:
                mails = domain.lease(connection, 3, now=NOON)
            if not mails:
                return taken
            for mail in mails:
                with engine.begin() as connection:
                    domain.settle(connection, mail, sent=True, now=NOON)
            taken += [mail.id for mail in mails]

    with ThreadPoolExecutor(8) as pool:
        taken = sorted(mail_id for part in pool.map(run, range(8)) for mail_id in part)
    engine.dispose()
    assert taken == ids

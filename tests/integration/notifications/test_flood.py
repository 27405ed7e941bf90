"""What strangers and single members can queue does not hold up anybody's mail."""

import secrets
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from goatedvips.clients import ses
from goatedvips.models.notifications import outbox
from tests.integration.notifications.conftest import NOON, Message, Run, Send
from tests.support.functions import Functions
from tests.support.members import Member, Members

FLOOD = 200  # requests; as many mails would take 14 s
MOST_SECONDS = 2.0  # that a flood may add to the time until a mail leaves


@pytest.fixture
def seconds_until_reset(
    functions: Functions, members: Members, send: Send, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], float]:
    """Let a new member ask for a reset, run the sender, and return when on its clock the mail leaves."""

    def measure() -> float:
        member, context = members.new(seeds=False), Run(looks=200)
        assert functions.call("request_password_reset", body={"email": member.email}, now=NOON).status == 202
        left: list[float] = []

        def record(to: str, *_: object, **__: object) -> str:
            if to == member.email:
                left.append(sum(context.slept))
            return "message"

        monkeypatch.setattr(ses, "send", record)
        send(context=context)
        return left[0]

    return measure


def subscribe(functions: Functions, address: str) -> None:
    email = f"{secrets.token_hex(8)}@example.com"
    assert functions.call("subscribe", body={"email": email}, now=NOON, address=address).status == 202


def waiting(database: sa.Engine, kind: str) -> int:
    with database.connect() as connection:
        rows = sa.select(sa.func.count()).where(outbox.c.kind == kind, outbox.c.sent_at.is_(None))
        return connection.scalar(rows.where(outbox.c.dropped_at.is_(None))) or 0


def test_a_flood_of_subscriptions_from_one_network(
    database: sa.Engine, functions: Functions, seconds_until_reset: Callable[[], float]
) -> None:
    calm = seconds_until_reset()
    for _ in range(FLOOD):
        subscribe(functions, "203.0.113.77")
    assert waiting(database, "newsletter_confirmation") == 20
    assert seconds_until_reset() <= calm + MOST_SECONDS


def test_a_flood_of_subscriptions_from_very_many_networks(
    database: sa.Engine, functions: Functions, seconds_until_reset: Callable[[], float]
) -> None:
    calm = seconds_until_reset()
    for number in range(FLOOD):
        subscribe(functions, f"2001:db8:77:{number:x}::1")
    assert waiting(database, "newsletter_confirmation") == FLOOD
    assert seconds_until_reset() <= calm + MOST_SECONDS


def test_a_flood_of_tickets_is_one_mail(
    database: sa.Engine,
    functions: Functions,
    members: Members,
    send: Send,
    messages: list[Message],
) -> None:
    authors: list[Member] = [members.new(seeds=False) for _ in range(20)]
    body = {"subject": "Help", "description": "Please"}
    for number in range(300):
        answer = functions.call("open_ticket", by=authors[number % 20], body=body, now=NOON)
        assert answer.status == 201
    send(NOON, Run(looks=100))
    assert [message[1] for message in messages] == ["300 new tickets"]
    send(NOON + timedelta(minutes=1))
    assert len(messages) == 1
    assert waiting(database, "ticket_opened") == 0

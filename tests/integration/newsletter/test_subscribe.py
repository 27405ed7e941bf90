"""Anyone asks for the newsletter to be sent to an e-mail address."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.newsletter.subscriptions import subscribe
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions
from goatedvips.models.notifications import outbox
from tests.support import stack
from tests.support.functions import Answer, Functions

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)


def fresh() -> str:
    return f"Reader-{secrets.token_hex(6)}@Example.com"


def ask(
    functions: Functions, email: str, now: datetime = NOON, *, address: str | None = None, **body: object
) -> Answer:
    """Ask from a network that nobody else uses, unless it is given."""
    address = address or f"2001:{':'.join(secrets.token_hex(2) for _ in range(3))}::1"
    return functions.call("subscribe", body={"email": email} | body, now=now, address=address)


def rows(database: sa.Engine, email: str) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        same = sa.func.lower(subscriptions.c.email) == email.lower()
        return list(connection.execute(sa.select(subscriptions).where(same).order_by(subscriptions.c.id)))


def outbox_rows(database: sa.Engine) -> int:
    with database.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(outbox)) or 0


def mails(database: sa.Engine, email: str) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        same = sa.func.lower(outbox.c.address) == email.lower()
        return list(connection.execute(sa.select(outbox).where(same).order_by(outbox.c.id)))


def adopt(database: sa.Engine, email: str, **columns: object) -> sa.Row[Any]:
    """Insert a row as the legacy application does."""
    with database.connect() as connection:
        connection.execute(sa.insert(subscriptions).values(email=email, **columns))
        return connection.execute(sa.select(subscriptions).where(subscriptions.c.email == email)).one()


def test_a_subscription_is_pending_until_the_mailed_token_is_used(functions: Functions, database: sa.Engine) -> None:
    email = fresh()
    answer = ask(functions, email, source="footer")
    assert (answer.status, answer.json) == (202, {"status": "pending"})
    (row,) = rows(database, email)
    assert (row.email, row.email_key) == (email, email.lower())
    assert (row.is_subscribed, row.confirmed_at, row.consent_address) == (False, None, None)
    assert (row.source, row.confirmation_sent_at) == ("footer", NOON)
    (mail,) = mails(database, email)
    assert (mail.kind, mail.address, mail.user_id) == ("newsletter_confirmation", email, None)
    assert mail.payload == {"subscription_id": row.id}
    assert (mail.due_at, mail.sent_at) == (NOON, None)


def test_an_address_gets_one_mail_an_hour_however_it_is_written(functions: Functions, database: sa.Engine) -> None:
    email = fresh()
    ask(functions, email, source="first")
    for now in (NOON, NOON + MOMENT, NOON + HOUR - MOMENT):
        assert ask(functions, email.swapcase(), now=now, source="later").json == {"status": "pending"}
    assert len(mails(database, email)) == 1
    assert rows(database, email)[0].source == "first"
    ask(functions, email.lower(), now=NOON + HOUR, source="second")
    assert len(mails(database, email)) == 2
    (row,) = rows(database, email)
    assert (row.email, row.source, row.confirmation_sent_at) == (email, "second", NOON + HOUR)
    assert {mail.address for mail in mails(database, email)} == {email}, (
        "what was written first is what the token proves"
    )


def test_a_stranger_cannot_change_a_subscription(functions: Functions, database: sa.Engine) -> None:
    for columns in (
        {"source": "the guide's"},
        {"source": None, "confirmed_at": NOON, "consent_address": "203.0.113.9", "confirmation_sent_at": NOON},
    ):
        before = adopt(database, fresh(), **columns)
        for email in (before.email, before.email.upper()):
            assert ask(functions, email, now=NOON + 2 * HOUR, source="evil").json == {"status": "pending"}
        assert rows(database, before.email) == [before]
        assert mails(database, before.email) == []


def test_an_unsubscribed_address_gets_a_mail_and_stays_unsubscribed(functions: Functions, database: sa.Engine) -> None:
    before = adopt(database, fresh(), is_subscribed=False, unsubscribed_at=NOON - HOUR)
    ask(functions, before.email)
    (after,) = rows(database, before.email)
    assert (after.id, after.is_subscribed, after.unsubscribed_at) == (before.id, False, NOON - HOUR)
    assert len(mails(database, before.email)) == 1


def test_adopted_rows_that_differ_in_case_are_one_address(functions: Functions, database: sa.Engine) -> None:
    email = fresh()
    older = adopt(database, email, is_subscribed=False)
    younger = adopt(database, email.lower(), is_subscribed=True)
    assert (older.email_key, younger.email_key) == (email.lower(), None)
    ask(functions, email.lower())
    assert mails(database, email) == [], "the younger row is subscribed"
    assert ask(functions, email.upper()).status == 202
    assert len(rows(database, email)) == 2


def test_an_adopted_row_whose_key_became_free_is_the_subscription(functions: Functions, database: sa.Engine) -> None:
    email = fresh()
    older, younger = adopt(database, email, is_subscribed=False), adopt(database, email.lower(), is_subscribed=False)
    with database.connect() as connection:
        connection.execute(sa.delete(subscriptions).where(subscriptions.c.id == older.id))
    assert ask(functions, younger.email).status == 202
    (row,) = rows(database, email)
    assert (row.id, row.email_key) == (younger.id, email.lower())
    assert len(mails(database, email)) == 1


def test_twenty_at_once_make_one_subscription_and_one_mail(servers: stack.Stack, database: sa.Engine) -> None:
    new, old = fresh(), adopt(database, fresh(), is_subscribed=False).email
    for email in (new, old):
        url = sa.make_url(servers.direct(database.url.database or "")).set(drivername="postgresql+oneflight")
        engine = sa.create_engine(url, pool_size=20)
        barrier, networks = Barrier(20), [f"203.0.113.{index % 10}" for index in range(20)]

        def one(
            index: int,
            email: str = email,
            engine: sa.Engine = engine,
            barrier: Barrier = barrier,
            networks: list[str] = networks,
        ) -> None:
            with engine.begin() as connection:
                connection.execute(sa.text("SELECT 1"))
                barrier.wait()
                subscribe(connection, email if index % 2 else email.lower(), None, networks[index], now=NOON)

        with ThreadPoolExecutor(20) as pool:
            list(pool.map(one, range(20)))
        engine.dispose()
        assert len(rows(database, email)) == 1
        assert len(mails(database, email)) == 1


def test_an_address_gets_three_mails_in_thirty_days(functions: Functions, database: sa.Engine) -> None:
    email, window = fresh(), timedelta(days=30)
    times = [NOON, NOON + HOUR, NOON + 2 * HOUR, NOON + 3 * HOUR, NOON + window - MOMENT]
    times += [NOON + window, NOON + window + HOUR - MOMENT, NOON + window + HOUR, NOON + window + 2 * HOUR]
    for at in times:
        assert ask(functions, email, now=at).json == {"status": "pending"}
    sent_at = [mail.created_at for mail in mails(database, email)]
    assert sent_at == [times[index] for index in (0, 1, 2, 5, 7, 8)]


def test_a_network_may_ask_for_twenty_addresses_an_hour(functions: Functions, database: sa.Engine) -> None:
    network = f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}"
    emails = [fresh() for _ in range(22)]
    confirmed = adopt(database, fresh()).email
    for number, email in enumerate([confirmed, *emails[:19], emails[0].upper(), emails[19]]):
        assert ask(functions, email, address=f"{network}::{number:x}").json == {"status": "pending"}
    assert [len(mails(database, email)) for email in emails[:20]] == [1] * 19 + [0], "the confirmed one counts too"
    before = outbox_rows(database)
    for email in (emails[20], confirmed):
        assert ask(functions, email, address=f"{network}::1").json == {"status": "pending"}
        assert outbox_rows(database) == before
    assert rows(database, emails[20]) == []
    ask(functions, emails[20], address=f"{network[:-1]}x::".replace("x", "0" if network[-1] != "0" else "1"))
    ask(functions, emails[21], address=f"{network}::1", now=NOON + HOUR)
    assert [len(mails(database, email)) for email in emails[20:]] == [1, 1]


def test_an_address_counts_once_though_the_second_request_has_the_earlier_time(
    functions: Functions, database: sa.Engine
) -> None:
    """The first one took its time later and the lock earlier."""
    network = f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"
    emails = [fresh() for _ in range(20)]
    ask(functions, emails[0], address=network, now=NOON + timedelta(milliseconds=1))
    for email in emails:
        ask(functions, email, address=network)
    assert [len(mails(database, email)) for email in emails] == [1] * 20


def test_no_more_than_twenty_of_many_requests_at_once_send_mail(servers: stack.Stack, database: sa.Engine) -> None:
    url = sa.make_url(servers.direct(database.url.database or "")).set(drivername="postgresql+oneflight")
    engine = sa.create_engine(url, pool_size=30)
    barrier, emails, network = Barrier(30), [fresh() for _ in range(30)], secrets.token_hex(8)

    def one(email: str) -> None:
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT 1"))
            barrier.wait()
            subscribe(connection, email, None, network, now=NOON)

    with ThreadPoolExecutor(30) as pool:
        list(pool.map(one, emails))
    engine.dispose()
    assert sum(len(mails(database, email)) for email in emails) == 20


def test_a_request_writes_as_much_whatever_the_state_of_the_address(functions: Functions, database: sa.Engine) -> None:
    confirmed, pending, unknown = adopt(database, fresh()).email, fresh(), fresh()
    ask(functions, pending, address="192.0.2.1")
    for number, email in enumerate((confirmed, pending, unknown)):
        before = outbox_rows(database)
        for _ in range(2):
            ask(functions, email, address=f"192.0.2.{number + 10}")
        assert outbox_rows(database) == before + 1, email
    with database.connect() as connection:
        of_them = sa.select(outbox.c.address, outbox.c.dropped_reason, outbox.c.dropped_at)
        latest = connection.execute(of_them.order_by(outbox.c.id.desc()).limit(3)).all()
    assert latest == [(unknown, None, None), (None, "no_mail_due", NOON), (None, "no_mail_due", NOON)]


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        ('{"email": "no-at.example.com"}', "/email"),
        ('{"email": "two@at@example.com"}', "/email"),
        ('{"email": "nobody@localhost"}', "/email"),
        ('{"email": "a b@example.com"}', "/email"),
        ('{"email": "a,b@example.com"}', "/email"),
        ('{"email": "a@example.com\\r\\nBcc: b@example.com"}', "/email"),
        ('{"email": "A <a@example.com>"}', "/email"),
        ('{"email": "nul\\u0000@example.com"}', "/email"),
        ('{"email": "\\ud800@example.com"}', "/email"),
        ('{"email": "\\u202e@example.com"}', "/email"),
        ('{"email": "a@-example.com"}', "/email"),
        ('{"email": "a@example..com"}', "/email"),
        ('{"email": "%s@example.com"}' % ("a" * 65), "/email"),
        (f'{{"email": "a@{".".join(["b" * 60] * 5)}.com"}}', "/email"),
        ('{"email": 7}', "/email"),
        ('{"email": null}', "/email"),
        ("{}", "/email"),
        ('{"email": "a@example.com", "source": 1}', "/source"),
        ('{"email": "a@example.com", "source": "%s"}' % ("s" * 201), "/source"),
        ('{"email": "a@example.com", "source": "\\u0000"}', "/source"),
        ('{"email": "a@example.com", "is_subscribed": true}', "/is_subscribed"),
    ],
)
def test_an_invalid_body_is_refused(functions: Functions, raw: str, pointer: str) -> None:
    answer = functions.call("subscribe", raw=raw)
    assert answer.status == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def test_text_is_stored_in_nfc(functions: Functions, database: sa.Engine) -> None:
    email = fresh()
    ask(functions, email, source="cafe\u0301")
    (row,) = rows(database, email)
    assert row.source == "caf\u00e9"


def test_an_idempotency_key_has_no_effect(functions: Functions, database: sa.Engine) -> None:
    for email in (fresh(), fresh()):
        answer = functions.call("subscribe", body={"email": email}, headers={"idempotency-key": "same"})
        assert answer.status == 202
        assert "Idempotency-Replayed" not in answer.headers
        assert len(mails(database, email)) == 1

"""Leases: which waiting mail a run takes, in which order, and how much of it in a second."""

import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.notifications import sending
from goatedvips.domain.notifications.kinds import KINDS, Priority
from goatedvips.domain.notifications.sending import CLOCK_SKEW, LEASE, Mail
from goatedvips.mail_delivery import Turn
from goatedvips.models.notifications import outbox, sender_state
from tests.integration.notifications.conftest import MOMENT, NOON, Run, Send, Sent, put, verification
from tests.support import stack
from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.plans import fill, rows_read

SECOND = timedelta(seconds=1)
MANY = 1_000_000  # messages a second: no limit
BULK = Priority.BULK.value


def lease(database: sa.Engine, batch: int, *, rate: int = MANY, now: Any = NOON) -> list[Mail]:
    with database.connect() as connection:
        return sending.lease(connection, batch, rate=rate, now=now)


@contextmanager
def threads(servers: stack.Stack, database: sa.Engine, number: int) -> Iterator[Callable[..., list[Any]]]:
    """Call a function in threads that begin together, each with an engine of as many connections."""
    url = sa.make_url(servers.direct(database.url.database or "")).set(drivername="postgresql+oneflight")
    engine = sa.create_engine(url, pool_size=number)
    barrier = Barrier(number)

    def run(work: Callable[[sa.Engine], Any]) -> list[Any]:
        def one(_: int) -> Any:
            with engine.connect() as connection:
                connection.execute(sa.text("SELECT 1"))
                barrier.wait()
            return work(engine)

        with ThreadPoolExecutor(number) as pool:
            return list(pool.map(one, range(number)))

    yield run
    engine.dispose()


def test_the_order_is_priority_then_due_time_then_id(database: sa.Engine) -> None:
    ids = [
        put(database, "x", priority=priority, due_at=NOON - timedelta(minutes=age))
        for priority, age in ((3, 9), (1, 0), (0, 0), (0, 1), (2, 5), (0, 1))
    ]
    in_order = [ids[index] for index in (3, 5, 2, 1, 4, 0)]
    assert [mail.id for mail in lease(database, 4)] == in_order[:4]
    assert [mail.id for mail in lease(database, 4)] == in_order[4:]


def test_the_outbox_has_the_priority_of_the_kind(functions: Functions, database: sa.Engine) -> None:
    assert functions.call("subscribe", body={"email": "reader@example.com"}, now=NOON).status == 202
    name = f"goat-{secrets.token_hex(6)}"
    body = {
        "username": name,
        "email": f"{name}@example.com",
        "password": "goats like long walks",
    }
    assert functions.call("register", body=body, now=NOON).status == 201
    with database.connect() as connection:
        rows = dict(connection.execute(sa.select(outbox.c.kind, outbox.c.priority)).all())
    assert rows == {"newsletter_confirmation": 2, "verification": 0}
    assert {kind.priority for kind in KINDS.values()} <= set(Priority)


def test_no_more_than_the_rate_are_leased_in_a_second(database: sa.Engine) -> None:
    for _ in range(10):
        put(database, "x")
    taken = [len(lease(database, 3, rate=5, now=NOON + at)) for at in (0 * SECOND, SECOND - MOMENT, 0 * SECOND, SECOND)]
    assert taken == [3, 2, 0, 3]


def test_an_empty_lease_writes_no_state(database: sa.Engine) -> None:
    lease(database, 3, rate=5)
    with database.connect() as connection:
        assert connection.execute(sa.select(sender_state.c.second, sender_state.c.taken)).one() == (None, 0)


@pytest.mark.parametrize(("ahead", "allowed"), [(CLOCK_SKEW, 0), (CLOCK_SKEW + SECOND, 5), (timedelta(days=1), 5)])
def test_the_clock_of_another_run_may_be_ahead_a_little(database: sa.Engine, ahead: timedelta, allowed: int) -> None:
    for _ in range(10):
        put(database, "x")
    assert len(lease(database, 5, rate=5, now=NOON + ahead)) == 5
    assert len(lease(database, 5, rate=5, now=NOON)) == allowed


def test_all_runs_together_keep_within_the_rate(servers: stack.Stack, database: sa.Engine) -> None:
    for _ in range(60):
        put(database, "x")

    def work(engine: sa.Engine) -> int:
        taken = 0
        for _ in range(5):
            with engine.begin() as connection:
                taken += len(sending.lease(connection, 4, rate=14, now=NOON))
        return taken

    with threads(servers, database, 8) as run:
        assert sum(run(work)) == 14


def test_two_runs_at_once_lease_each_mail_once(servers: stack.Stack, database: sa.Engine, members: Members) -> None:
    ids = sorted(verification(database, members)[1] for _ in range(40))

    def work(engine: sa.Engine) -> list[int]:
        taken: list[int] = []
        while True:
            with engine.begin() as connection:
                mails = sending.lease(connection, 3, rate=MANY, now=NOON)
            if not mails:
                return taken
            for mail in mails:
                with engine.begin() as connection:
                    sending.record_sent(connection, mail, "message", now=NOON)
            taken += [mail.id for mail in mails]

    with threads(servers, database, 8) as run:
        assert sorted(mail_id for part in run(work) for mail_id in part) == ids


def test_a_locked_row_is_skipped(database: sa.Engine) -> None:
    locked, free = put(database, "x"), put(database, "x")
    with database.connect().execution_options(isolation_level="READ COMMITTED") as other, other.begin():
        other.execute(sa.select(outbox.c.id).where(outbox.c.id == locked).with_for_update())
        assert [mail.id for mail in lease(database, 5)] == [free]


def test_an_expired_lease_does_not_overwrite_an_outcome(database: sa.Engine) -> None:
    put(database, "x")
    (first,), (second,) = lease(database, 1), lease(database, 1, now=NOON + LEASE)
    with database.connect() as connection:
        sending.record_sent(connection, second, "message", now=NOON + LEASE)
        sending.record_failure(connection, first, "late", now=NOON + LEASE)
        sending.put_back(connection, [first])
        after = connection.execute(sa.select(outbox)).one()
    assert (after.sent_at, after.last_error, after.attempts) == (NOON + LEASE, None, 2)


def test_it_looks_every_two_seconds_and_stays_under_the_rate(
    database: sa.Engine, members: Members, send: Send, sent: Sent
) -> None:
    context = Run(looks=10)
    send(context=context)
    assert context.slept == [2.0] * 5
    for _ in range(15):
        verification(database, members)
    busy = Run(looks=40)
    assert send(context=busy)["sent"] == 15
    assert sum(busy.slept) >= 15 / 14


def test_a_fast_clock_leaves_a_turn_its_second_to_send_in() -> None:
    instants = iter([NOON + 0.1 * SECOND, *(NOON + minute * 60 * SECOND for minute in range(1, 9))])
    turn = Turn(lambda: next(instants))
    assert turn.lasts()
    assert 0.5 < turn.seconds_until_next() <= 0.9


ROWS = "INSERT INTO outbox (kind, priority, campaign_id, created_at, due_at, address)"
FILLS = {
    "not due": f"{ROWS} SELECT 'x', n % 4, NULL, '2026-05-01', '2026-05-02 12:00', n FROM generate_series(1, :rows) n",
    "bulk": f"{ROWS} SELECT 'x', {BULK}, NULL, '2026-05-01', '2026-05-01 11:00', n FROM generate_series(1, :rows) n",
    "a campaign's": f"""
        WITH campaign AS (
            INSERT INTO campaigns (audience, subject, body, html, plain_text, status, created_at, updated_at, queued_at)
            VALUES ('newsletter', '', '', '', '', 'sending', '2026-05-01', '2026-05-01', '2026-05-01') RETURNING id
        )
        {ROWS} SELECT 'newsletter', {Priority.CAMPAIGN.value}, campaign.id, '2026-05-01', '2026-05-01 11:00', n
        FROM campaign, generate_series(1, :rows) n
    """,
}


@pytest.mark.parametrize(
    ("waiting", "rows"),
    [("not due", 1_000), ("not due", 100_000), ("bulk", 1_000), ("a campaign's", 1_000), ("a campaign's", 100_000)],
)
def test_a_reset_that_is_queued_last_is_in_the_next_batch_and_few_rows_are_read(
    servers: stack.Stack, database: sa.Engine, waiting: str, rows: int
) -> None:
    """However much waits: neither what is due nor what is not yet due is read before a critical mail is leased."""
    fill(database, FILLS[waiting].replace(":rows", str(rows)))
    critical = put(database, "password_reset", priority=0)
    parameters = {"batch": 14, "rate": 14, "now": NOON, "this_second": NOON, "latest_second": NOON}
    try:
        read = rows_read(
            servers.direct(os.environ["TEST_DATABASE"], "jobs"),
            sa.select(sending._lease.cte("lease")),
            parameters | {"lease_ends_at": NOON + LEASE},
        )
        leased = [mail.id for mail in lease(database, 14)]
    finally:
        fill(database, "TRUNCATE outbox", "UPDATE campaigns SET status = 'cancelled' WHERE status = 'sending'")
    assert leased[0] == critical
    assert len(leased) == (1 if waiting == "not due" else 14)
    assert read["outbox"] <= 14 * len(Priority)

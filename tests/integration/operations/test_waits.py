"""How long mail and the feed have been waited for: the metrics that advance_races writes, and that have alarms."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from goatedvips.domain.notifications.kinds import Priority
from goatedvips.domain.operations import waits
from goatedvips.domain.operations.waits import Waits
from goatedvips.models.notifications import outbox
from goatedvips.models.wagers import feeds

NOW = datetime(2026, 12, 3, 12, tzinfo=UTC)


def measure(connection: sa.Connection) -> Waits:
    return waits.measure(connection, now=NOW)


@pytest.fixture
def connection(database: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction in which nothing waits, and that is rolled back."""
    with database.connect().execution_options(isolation_level="READ COMMITTED") as connection:
        connection.execute(sa.delete(outbox))
        connection.execute(sa.text("TRUNCATE feeds CASCADE"))
        yield connection
        connection.rollback()


def test_what_waits_the_longest_counts_and_what_is_done_does_not(connection: sa.Connection) -> None:
    assert measure(connection) == Waits(outbox_age=0, feed_age=0)

    def queue(minutes: int, priority: Priority = Priority.SERVICE, **columns: object) -> None:
        due_at = NOW - timedelta(minutes=minutes)
        values = {"kind": "ticket_reply", "created_at": due_at, "due_at": due_at, "priority": priority}
        connection.execute(sa.insert(outbox).values(values | columns))

    queue(-5)  # not due yet
    queue(90, Priority.BULK)
    queue(80, sent_at=NOW)
    queue(70, Priority.BULK, channel="push")
    assert measure(connection).outbox_age == 0
    queue(2)
    queue(7)
    assert measure(connection).outbox_age == 7 * 60
    queue(8, channel="push")
    assert measure(connection).outbox_age == 8 * 60

    for minutes in (30, 10):
        at = NOW - timedelta(minutes=minutes)
        values = {"key": str(minutes), "requested_at": at, "ingested_at": at, "sha256": "", "is_whole": False}
        connection.execute(
            sa.insert(feeds).values(values | {"entry_count": 0, "bad_count": 0, "uid_count": 0, "missing_count": 0})
        )
    assert measure(connection).feed_age == 10 * 60

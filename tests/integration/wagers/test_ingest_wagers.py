"""From the affiliate API through the bucket into the database, by the two functions and S3's own events."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.events import ForeignEvent
from goatedvips.models.wagers import feeds, wager_accounts
from local.stand_ins.affiliate import Behaviour
from local.stand_ins.feeds import Fault, Shape
from tests.support.feeds import FeedStack
from tests.support.functions import Functions
from tests.support.ingesting import Ingesting

NOW = datetime(2026, 12, 3, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_other_rows(database: sa.Engine) -> None:
    Ingesting(database).remove_all()


def fetch(functions: Functions, stack: FeedStack, now: datetime = NOW) -> dict[str, Any]:
    """Let the feed be fetched, and return the event of its object."""
    stack.now = now
    functions.invoke("fetch_wagers", {"scheduled_time": now.isoformat()}, now=now, seconds=540)
    return stack.events[-1]


def ingest(functions: Functions, event: dict[str, Any], now: datetime = NOW) -> dict[str, int]:
    done: dict[str, int] = functions.invoke("ingest_wagers", event, now=now + timedelta(seconds=3))
    return done


def alarms(capsys: pytest.CaptureFixture[str]) -> list[str]:
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    return [metric["name"] for metric in written if metric.get("Alarm") == [1.0]]


@pytest.mark.parametrize("shape", [*Shape])
def test_a_feed_becomes_accounts(
    functions: Functions, feed_stack: FeedStack, database: sa.Engine, capsys: pytest.CaptureFixture[str], shape: Shape
) -> None:
    feed_stack.api.behaviour = Behaviour(shape=shape)
    done = ingest(functions, fetch(functions, feed_stack))
    with database.connect() as connection:
        count = connection.scalar(sa.select(sa.func.count()).select_from(wager_accounts))
        feed = connection.execute(sa.select(feeds)).one()
    assert done == {"ingested": 1, "entries": count, "bad": 0, "readings": count, "races": 0}
    assert (feed.requested_at, feed.ingested_at) == (NOW, NOW + timedelta(seconds=3))
    assert (feed.is_whole, feed.entry_count, len(feed.sha256)) == (True, count, 64)
    assert alarms(capsys) == []


def test_events_may_come_doubled_and_out_of_order(functions: Functions, feed_stack: FeedStack) -> None:
    events = [fetch(functions, feed_stack, NOW + minutes * timedelta(minutes=10)) for minutes in range(3)]
    counts = [ingest(functions, events[number])["ingested"] for number in (2, 0, 2, 1, 0, 1)]
    assert counts == [1, 1, 0, 1, 0, 0]


def test_what_is_no_feed_raises_an_alarm(
    functions: Functions, feed_stack: FeedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    feed_stack.api.behaviour = Behaviour(fault=Fault.HTML)
    event = fetch(functions, feed_stack)
    capsys.readouterr()
    assert ingest(functions, event)["readings"] == 0
    assert alarms(capsys) == ["feed_failed"]
    assert ingest(functions, event)["ingested"] == 0
    assert alarms(capsys) == [], "one alarm a feed"


def test_a_feed_that_is_not_whole_raises_an_alarm(
    functions: Functions, feed_stack: FeedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest(functions, fetch(functions, feed_stack))
    feed_stack.api.behaviour = Behaviour(fault=Fault.SHRUNK)
    event = fetch(functions, feed_stack, NOW + timedelta(minutes=10))
    capsys.readouterr()
    ingest(functions, event)
    assert alarms(capsys) == ["feed_not_whole"]


def test_the_end_of_the_token_is_stored_with_the_feed(
    functions: Functions, feed_stack: FeedStack, database: sa.Engine
) -> None:
    ends_at = NOW + timedelta(hours=20)
    feed_stack.set_token(ends_at)
    ingest(functions, fetch(functions, feed_stack))
    with database.connect() as connection:
        assert connection.scalar(sa.select(feeds.c.token_ends_at)) == ends_at


def test_an_object_that_is_no_raw_feed_is_refused(functions: Functions, feed_stack: FeedStack) -> None:
    event = fetch(functions, feed_stack)
    event["detail"]["object"]["key"] = "push/in/1.json"
    with pytest.raises(ForeignEvent):
        ingest(functions, event)

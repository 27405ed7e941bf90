"""The raw answer of the affiliate API goes to S3, whatever it is, and who runs the platform hears what is wrong."""

import gzip
import hashlib
import json
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
import stamina

from goatedvips.clients import affiliate, raw_feed, s3
from goatedvips.config import settings
from goatedvips.domain.wagers import feed_keys
from goatedvips.domain.wagers.feed import FeedProblem, parse_feed
from local.stand_ins.affiliate import Behaviour
from local.stand_ins.feeds import Fault, Shape
from tests.support.feeds import FeedStack
from tests.support.functions import Functions, load

NOW = datetime(2026, 12, 3, 12, 0, 0, 123_456, tzinfo=UTC)
EVENT = {"scheduled_time": "2026-12-03T12:00:00Z"}


@pytest.fixture(autouse=True)
def no_waits() -> Any:
    with stamina.set_testing(True, attempts=affiliate.TRIES):  # the tries, without the waits between them
        yield


def fetch(functions: Functions) -> dict[str, int]:
    done: dict[str, int] = functions.invoke("fetch_wagers", EVENT, now=NOW, seconds=540)
    return done


def alarms(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The names in the alarm metrics that were written."""
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    return [metric["name"] for metric in written if metric.get("Alarm") == [1.0]]


def key_of(stack: FeedStack) -> str:
    """The key of the only object."""
    (event,) = stack.events
    return str(event["detail"]["object"]["key"])


def test_the_answer_is_stored_as_it_came(
    functions: Functions, feed_stack: FeedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(functions) == {"pages": 1, "failures": 0}
    key = key_of(feed_stack)
    assert key.startswith("feed/2026/12/03/20261203T120000123Z-")
    assert feed_keys.requested_at_of(key) == NOW.replace(microsecond=123_000)
    stored = s3.client().get_object(Bucket=settings.feed_bucket, Key=key)["Body"].read()
    status, body = feed_stack.api.answer(feed_stack.now, 1)
    assert json.loads(gzip.decompress(stored)) == {"page": 1, "status": status, "body": body}
    read = raw_feed.read_feed(key)
    assert list(read.pages) == [(1, 200, body)]
    assert read.sha256 == hashlib.sha256(gzip.decompress(stored)).hexdigest()
    assert read.token_ends_at is None
    assert alarms(capsys) == []


@pytest.mark.parametrize("shape", [Shape.DATA, Shape.RESULTS, Shape.GROUPED])
def test_all_pages_are_in_one_object(functions: Functions, feed_stack: FeedStack, shape: Shape) -> None:
    feed_stack.api.behaviour = Behaviour(shape=shape, page_size=30)
    assert fetch(functions)["pages"] > 3
    pages = list(raw_feed.read_feed(key_of(feed_stack)).pages)
    assert [page.page for page in pages] == list(range(1, len(pages) + 1))
    feed = parse_feed(pages)
    assert feed.problem is None
    assert len(feed.uids) == feed.total_users


@pytest.mark.parametrize("fault", Fault)
def test_rubbish_is_stored_too(functions: Functions, feed_stack: FeedStack, fault: Fault) -> None:
    feed_stack.api.behaviour = Behaviour(fault=fault)
    assert fetch(functions) == {"pages": 1, "failures": 0}
    (page,) = raw_feed.read_feed(key_of(feed_stack)).pages
    assert (page.status, page.body) == feed_stack.api.answer(feed_stack.now, 1)


@pytest.mark.parametrize("status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.BAD_GATEWAY])
def test_an_error_is_stored_and_raises_an_alarm(
    functions: Functions, feed_stack: FeedStack, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    feed_stack.api.behaviour = Behaviour(status=status)
    assert fetch(functions) == {"pages": 1, "failures": 1}
    pages = list(raw_feed.read_feed(key_of(feed_stack)).pages)
    assert [page.status for page in pages] == [status]
    assert parse_feed(pages).problem is FeedProblem.BAD_STATUS
    assert alarms(capsys) == ["feed_failed"]


def test_no_answer_raises_an_alarm_and_stores_nothing(
    functions: Functions,
    feed_stack: FeedStack,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(settings, "affiliate_api_url", "http://127.0.0.1:1/feed")
    assert fetch(functions) == {"pages": 0, "failures": 1}
    assert feed_stack.events == []
    assert alarms(capsys) == ["feed_failed"]


@pytest.mark.parametrize(("hours", "wanted"), [(6.1, []), (5.9, ["feed_token_ends"])])
def test_a_token_that_ends_within_six_hours_raises_an_alarm(
    functions: Functions,
    feed_stack: FeedStack,
    capsys: pytest.CaptureFixture[str],
    hours: float,
    wanted: list[str],
) -> None:
    ends_at = NOW.replace(microsecond=0) + timedelta(hours=hours)
    feed_stack.set_token(ends_at)
    assert fetch(functions) == {"pages": 1, "failures": 0}
    assert raw_feed.read_feed(key_of(feed_stack)).token_ends_at == ends_at
    assert alarms(capsys) == wanted


def test_a_token_that_has_ended_is_refused_and_both_alarms_say_so(
    functions: Functions, feed_stack: FeedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    feed_stack.set_token(NOW - timedelta(seconds=1))
    assert fetch(functions) == {"pages": 1, "failures": 1}
    assert alarms(capsys) == ["feed_failed", "feed_token_ends"]


def test_the_token_of_each_run_is_the_present_one(functions: Functions, feed_stack: FeedStack) -> None:
    failures = []
    for days in (-1, 1):
        feed_stack.set_token(NOW + timedelta(days=days))
        failures.append(fetch(functions)["failures"])
    assert failures == [1, 0]


def test_without_its_secret_it_asks_nobody(
    functions: Functions, feed_stack: FeedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "affiliate_token_secret", "another")
    with pytest.raises(Exception, match="ResourceNotFoundException"):
        fetch(functions)
    assert feed_stack.events == []


def test_a_bucket_that_cannot_be_reached_fails_the_run(
    functions: Functions, feed_stack: FeedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "feed_bucket", "another")
    with pytest.raises(Exception, match="NoSuchBucket"):
        fetch(functions)


def test_a_feed_is_copied_for_settlement_as_often_as_one_likes(functions: Functions, feed_stack: FeedStack) -> None:
    fetch(functions)
    key = key_of(feed_stack)
    copies = {raw_feed.keep_for_settlement(key) for _ in range(2)}
    assert copies == {f"settled/{key.removeprefix('feed/')}"}
    (copy,) = copies
    original, copied = raw_feed.read_feed(key), raw_feed.read_feed(copy)
    assert (copied.sha256, list(copied.pages)) == (original.sha256, list(original.pages))


@pytest.mark.parametrize(
    "key",
    [
        "",
        "settled/2026/12/03/20261203T120000123Z-0123abcd.jsonl.gz",
        "feed/2026/12/04/20261203T120000123Z-0123abcd.jsonl.gz",
        "feed/2026/12/03/20261203T120000Z-0123abcd.jsonl.gz",
        "feed/2026/13/03/20261303T120000123Z-0123abcd.jsonl.gz",
        "feed/2026/12/03/20261203T120000123Z-0123abcd.jsonl.gz\n",
    ],
)
def test_another_key_has_no_instant(key: str) -> None:
    with pytest.raises(ValueError, match=r"does not match|different days|not the key"):
        feed_keys.requested_at_of(key)


def test_there_is_time_for_a_last_request_and_for_storing_its_answer() -> None:
    assert load("fetch_wagers").RESERVED_SECONDS > affiliate.REQUEST_SECONDS + 20

"""The edge of functions that S3 starts through EventBridge."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from goatedvips.config import settings
from goatedvips.events import ForeignEvent, lambda_handler
from local.stand_ins.event_bridge import matches
from local.stand_ins.s3 import build_event
from tests.support.functions import Context

CONTEXT = Context("IngestWagersFunction", "a-run")
KEY = "feed/2026/12/03/20261203T120000123Z-0123abcd.jsonl.gz"


@pytest.fixture
def event(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(settings, "feed_bucket", "feeds")
    return build_event("feeds", KEY, 1234, "9b2cf535f27731c974343645a3985328", datetime(2026, 12, 3, 12, tzinfo=UTC))


def call(event: dict[str, Any]) -> list[str]:
    """The keys that the function was called with."""
    keys: list[str] = []

    def work(key: str) -> dict[str, int]:
        keys.append(key)
        return {"readings": 1}

    assert lambda_handler(work, prefix="feed/")(event, CONTEXT) == {"readings": 1}
    return keys


def test_the_function_gets_the_key(event: dict[str, Any]) -> None:
    assert call(event) == [KEY]


@pytest.mark.parametrize("key", ["feed/a+b%2Fc é.gz", "feed/2026-12-03T12:00:00+00:00"])
def test_the_key_is_taken_as_it_is(event: dict[str, Any], key: str) -> None:
    """EventBridge gets it without the URL encoding of S3's other notifications."""
    event["detail"]["object"]["key"] = key
    assert call(event) == [key]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("source",), "aws.sns"),
        (("source",), None),
        (("detail-type",), "Object Deleted"),
        (("detail",), {}),
        (("detail",), None),
        (("detail", "bucket", "name"), "another"),
        (("detail", "bucket"), None),
        (("detail", "object", "key"), "settled/a"),
        (("detail", "object", "key"), ""),
        (("detail", "object"), {}),
    ],
)
def test_any_other_event_is_refused(event: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    changed = deepcopy(event)
    parent = changed
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = value
    with pytest.raises(ForeignEvent):
        call(changed)


def test_a_rule_matches_literals_and_prefixes(event: dict[str, Any]) -> None:
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created", "Object Restore Completed"],
        "detail": {"bucket": {"name": ["feeds"]}, "object": {"key": [{"prefix": "feed/"}]}},
    }
    assert matches(pattern, event)
    assert not matches(pattern | {"source": ["aws.sns"]}, event)
    assert not matches(pattern | {"detail": {"object": {"key": [{"prefix": "push/"}]}}}, event)
    assert not matches(pattern, {})
    with pytest.raises(ValueError, match="suffix"):
        matches({"source": [{"suffix": "3"}]}, event)

"""The stand-ins for S3 and EventBridge: what is put is reported, stays, and starts the functions of its rule."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from goatedvips.clients.affiliate import token_ends_at
from local.pool import FunctionError
from local.stand_ins import affiliate, s3
from local.stand_ins.affiliate import AffiliateApi, Behaviour, open_casino
from local.stand_ins.event_bridge import TRIES, EventBridge
from local.stand_ins.feeds import Casino, Fault, Shape
from local.stand_ins.outside import serving
from local.template import FEED_BUCKET, Rule

NOW = datetime(2026, 12, 3, 12, tzinfo=UTC)
EVENT = s3.build_event(FEED_BUCKET, "feed/a", 1, "etag", NOW)


def test_what_is_put_is_reported_and_is_there_at_the_next_start(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    with serving(tmp_path, AffiliateApi(open_casino()), listener=events.append) as base:
        s3.put(base, FEED_BUCKET, "feed/a.gz", b"content")
        assert s3.read(base, FEED_BUCKET, "feed/a.gz") == b"content"
        assert httpx.get(f"{base}/elsewhere").status_code == 404
    event = events[0]
    assert event["detail"]["object"] | {"etag": "", "sequencer": ""} == {
        "key": "feed/a.gz",
        "size": 7,
        "etag": "",
        "sequencer": "",
    }
    assert (event["source"], event["detail-type"]) == ("aws.s3", "Object Created")
    with serving(tmp_path, AffiliateApi(open_casino()), listener=events.append) as base:
        source = f"{FEED_BUCKET}/feed%2Fa.gz"
        copied = httpx.put(f"{base}/s3/{FEED_BUCKET}/settled/a.gz", headers=s3.SIGNED | {"x-amz-copy-source": source})
        assert copied.status_code == 200
        assert s3.read(base, FEED_BUCKET, "settled/a.gz") == b"content"
        assert s3.read(base, FEED_BUCKET, "feed/a.gz") == b"content"
    (tmp_path / "feed/a.gz").unlink()
    with serving(tmp_path, AffiliateApi(open_casino())) as base, pytest.raises(httpx.HTTPStatusError, match="404"):
        s3.read(base, FEED_BUCKET, "feed/a.gz")
    assert [event["detail"]["object"]["key"] for event in events] == ["feed/a.gz", "settled/a.gz"]


def test_the_affiliate_api_is_told_how_to_answer(tmp_path: Path) -> None:
    api = AffiliateApi(Casino(50, seed=3))
    with serving(tmp_path, api, lambda: NOW) as base:
        told = httpx.put(f"{base}/affiliate/behaviour", json={"shape": "grouped", "texts": True, "status": 200})
        assert (told.status_code, api.behaviour) == (200, Behaviour(shape=Shape.GROUPED, texts=True))
        assert set(httpx.get(f"{base}/affiliate/feed").json()["data"]) == {"today", "weekly", "monthly", "all_time"}
        httpx.put(f"{base}/affiliate/behaviour", json={"fault": "html", "seconds": 0.2})
        started = time.monotonic()
        assert httpx.get(f"{base}/affiliate/feed").headers["content-type"] == "text/html; charset=utf-8"
        assert time.monotonic() - started >= 0.2
        httpx.put(f"{base}/affiliate/behaviour", json={"page_size": 20})
        assert len(httpx.get(f"{base}/affiliate/feed?page=2").json()["data"]) == 20
        assert httpx.get(f"{base}/affiliate/feed?page=9").status_code == 404
        for wrong in ({"shapes": "grouped"}, {"fault": "none"}, {"stopped_at": "noon"}):
            assert httpx.put(f"{base}/affiliate/behaviour", json=wrong).status_code == 400
        assert api.behaviour == Behaviour(page_size=20)


def test_a_feed_that_has_stopped_shows_since_when() -> None:
    api = AffiliateApi(Casino(50, seed=3))
    api.behaviour = Behaviour(stopped_at=datetime(2026, 12, 1, tzinfo=UTC))
    first, second = (api.answer(NOW.replace(hour=hour), 1) for hour in (12, 18))
    assert first == second
    assert json.loads(first[1])["metadata"]["lastUpdated"] == "2026-12-01T00:00:00+00:00"
    api.behaviour = Behaviour(fault=Fault.SHRUNK)
    assert len(json.loads(api.answer(NOW, 1)[1])["data"]) == 25


@pytest.mark.parametrize(("hours", "status"), [("5", 200), ("0.001", 401)])
def test_a_token_ends_when_it_was_wished(hours: str, status: int) -> None:
    api, token = affiliate.start([], NOW - timedelta(minutes=1), hours)
    assert api.answer(NOW, 1, f"Bearer {token}")[0] == status
    assert api.answer(NOW, 1, f"Bearer {token}x")[0] == api.answer(NOW, 1)[0] == 401
    assert token_ends_at(token) == (NOW + timedelta(minutes=-1, hours=float(hours))).replace(microsecond=0)


@pytest.mark.parametrize("hours", ["soon", "nan", "1e99"])
def test_hours_that_are_none_are_refused_with_a_sentence(hours: str) -> None:
    with pytest.raises(SystemExit, match="must be a number of hours"):
        affiliate.start([], NOW, hours)


class Pool:
    """Workers on which a function fails so many times."""

    def __init__(self, log: Path, failures: int = 0) -> None:
        self.log = log
        log.touch()
        self.failures = failures
        self.calls: list[tuple[str, object]] = []

    def invoke(self, function: str, event: object) -> None:
        self.calls.append((function, event))
        time.sleep(0.05)
        if len(self.calls) <= self.failures:
            raise FunctionError(function, {"errorType": "Error", "errorMessage": "because"})


@pytest.fixture
def rule() -> Rule:
    return Rule("IngestWagersFunction", {"source": ["aws.s3"], "detail": {"object": {"key": [{"prefix": "feed/"}]}}})


@pytest.mark.parametrize(("failures", "calls"), [(0, 1), (1, 2), (TRIES, TRIES)])
def test_a_function_that_fails_is_invoked_twice_more(tmp_path: Path, rule: Rule, failures: int, calls: int) -> None:
    pool = Pool(tmp_path / "log", failures)
    bridge = EventBridge([rule, Rule("Other", {"source": ["aws.sns"]})], pool)  # type: ignore[arg-type]
    bridge.start()
    bridge.send(EVENT)
    assert not bridge.wait(0.01)
    assert bridge.wait(10)
    assert pool.calls == [("IngestWagersFunction", EVENT)] * calls
    bridge.stop()


def test_nothing_is_invoked_after_the_end(tmp_path: Path, rule: Rule) -> None:
    pool = Pool(tmp_path / "log")
    bridge = EventBridge([rule], pool)  # type: ignore[arg-type]
    bridge.start()
    bridge.stop()
    bridge.send(EVENT)
    time.sleep(0.1)
    assert pool.calls == []

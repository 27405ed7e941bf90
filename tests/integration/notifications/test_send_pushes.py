"""Batches of push messages become requests of push services, which Node.js verifies and decrypts, and results."""

import json
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from goatedvips.clients import push_batches, s3
from goatedvips.clients import secrets as secrets_client
from goatedvips.clients.push_batches import MalformedBatch, Push, Result
from goatedvips.clients.push_encryption import LONGEST_MESSAGE
from goatedvips.config import settings
from goatedvips.events import ForeignEvent
from goatedvips.push_services import encode_base64url
from local.stand_ins import secrets_manager
from local.stand_ins.push import key
from tests.support import feeds, node, push_services
from tests.support.feeds import FeedStack
from tests.support.functions import Functions
from tests.support.push_services import FCM, MESSAGE, Browser, PushServices, answer
from tools.vapid_keys import generate

RECEIVER = Path(node.__file__).with_name("push_receiver")
NOW = datetime(2026, 12, 3, 12, tzinfo=UTC)
MOZILLA = "https://updates.push.services.mozilla.com/wpush/v2/"
PUBLIC_KEY, PRIVATE_KEY = generate()
NONE = {"sent": 0, "refused": 0, "not_sent": 0, "repeated": 0}


@dataclass
class Pushes:
    """Bucket, secret and push services, and the function between them."""

    functions: Functions
    stack: FeedStack
    services: PushServices

    def put(self, *pushes: Push) -> dict[str, Any]:
        """Put a batch, and return the event that S3 sends."""
        push_batches.put_pushes(secrets.token_hex(16), list(pushes))
        return self.stack.events[-1]

    def send(self, event: object, seconds: int = 120) -> dict[str, int]:
        """Invoke the function with so many seconds left, and return what it did beside nothing."""
        done: dict[str, int] = self.functions.invoke("send_pushes", event, now=NOW, seconds=seconds)
        assert done.keys() == NONE.keys()
        return {name: count for name, count in done.items() if count}

    def results(self) -> list[Result]:
        """The results that were put last."""
        return push_batches.read_results(self.stack.events[-1]["detail"]["object"]["key"]).results


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FeedStack, PushServices]]:
    folder = tmp_path_factory.mktemp("pushes")
    with (
        pytest.MonkeyPatch.context() as patched,
        feeds.run(folder / "bucket") as stack,
        push_services.run(folder, patched) as services,
    ):
        for name, value in stack.variables.items():
            patched.setenv(name, value)
        patched.setattr(settings, "feed_bucket", stack.variables["FEED_BUCKET"])
        patched.setattr(settings, "push_key_secret", secrets_manager.PUSH_KEY)
        for client in (s3.client, secrets_client._client):
            client.cache_clear()
        yield stack, services
    for client in (s3.client, secrets_client._client):
        client.cache_clear()


@pytest.fixture
def pushes(outside: tuple[FeedStack, PushServices], functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Pushes:
    stack, services = outside
    monkeypatch.setattr(settings, "push_public_key", PUBLIC_KEY)
    monkeypatch.setattr(settings, "mail_from", "GoatedVIPs <hello@goatedvips.example>")
    secrets_manager.put(secrets_manager.PUSH_KEY, {"private_key": PRIVATE_KEY})
    stack.events.clear()
    services.steps, services.addresses = [answer()], [[push_services.PUBLIC_ADDRESS]]
    services.requests, services.looked_up, services.connections = [], [], []
    return Pushes(functions, stack, services)


def alarms(capsys: pytest.CaptureFixture[str]) -> list[str]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    return [line["name"] for line in lines if "Alarm" in line]


def read_by_node(folder: Path, requests: list[dict[str, str]]) -> list[dict[str, Any]]:
    """What Node's crypto and npm's http_ece make of requests."""
    node.install(RECEIVER, folder, ["receive.mjs"])
    program = shutil.which("node")
    assert program is not None
    command = [program, "receive.mjs"]
    done = subprocess.run(command, cwd=folder, input=json.dumps(requests), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_each_service_verifies_who_sends_and_each_browser_reads_its_message(pushes: Pushes, tmp_path: Path) -> None:
    browsers = [Browser() for _ in range(3)]
    endpoints = [f"{FCM}0", f"{MOZILLA}1", f"{FCM}2"]
    messages = [MESSAGE | {"number": number} for number in range(2)] + [
        {"title": "x" * (LONGEST_MESSAGE - len('{"title":""}'))}
    ]
    batch = zip(browsers, endpoints, messages, strict=True)
    event = pushes.put(
        *(b.push(e, message=m, id=n, attempt=n + 4) for n, (b, e, m) in enumerate(batch, 1)),
    )
    assert pushes.send(event) == {"sent": 3}
    assert pushes.results() == [Result(n, n + 4, 201) for n in (1, 2, 3)]
    requests = sorted(pushes.services.requests, key=lambda request: request.path[-1])
    given = [
        {
            "authorization": request.headers["authorization"],
            "body": encode_base64url(request.body),
            "privateKey": encode_base64url(browser.key.private_numbers().private_value.to_bytes(32)),
            "auth": browser.auth,
        }
        for request, browser in zip(requests, browsers, strict=True)
    ]
    for request, read, endpoint, message in zip(
        requests, read_by_node(tmp_path, given), endpoints, messages, strict=True
    ):
        assert f"https://{request.host}{request.path}" == endpoint
        assert json.loads(read["text"]) == message
        assert (read["key"], read["header"]) == (PUBLIC_KEY, {"typ": "JWT", "alg": "ES256"})
        claims = read["claims"]
        assert claims.keys() == {"aud", "exp", "sub"}
        assert (claims["aud"], claims["sub"]) == (f"https://{request.host}", "mailto:hello@goatedvips.example")
        assert 0 < claims["exp"] - NOW.timestamp() <= 24 * 3600


def test_what_services_answer_is_reported_and_what_may_not_be_contacted_is_not(
    pushes: Pushes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("goatedvips.clients.web_push.MOST_AT_ONCE", 1)
    pushes.services.steps = [
        *(answer(404), answer(410), answer(429, Retry_After="90"), answer(503, Retry_After="30")),
        *(answer(302, Location=f"{MOZILLA}x"), answer(400), answer(201)),
    ]
    browser = Browser()
    endpoints = [f"{FCM}x"] * 7 + ["https://10.0.0.1/x", "http://fcm.googleapis.com/x", "https://push.example.com/x"]
    event = pushes.put(*(browser.push(e, id=number) for number, e in enumerate(endpoints, 1)))
    assert pushes.send(event) == {"sent": 1, "refused": 6, "not_sent": 3}
    assert [(r.id, r.status, r.retry_after, r.error) for r in pushes.results()] == [
        (1, 404, None, None),
        (2, 410, None, None),
        (3, 429, 90, None),
        (4, 503, 30, None),
        (5, 302, None, None),
        (6, 400, None, None),
        (7, 201, None, None),
        (8, None, None, "unusable"),
        (9, None, None, "unusable"),
        (10, None, None, "unusable"),
    ]
    assert len(pushes.services.requests) == 7
    assert set(pushes.services.looked_up) == {"fcm.googleapis.com"}


def test_a_host_in_the_network_of_somebody_is_not_contacted(pushes: Pushes) -> None:
    pushes.services.addresses = [["10.20.0.5"]]
    assert pushes.send(pushes.put(Browser().push())) == {"not_sent": 1}
    assert pushes.results() == [Result(1, 1, None, None, "NotPublicError")]
    assert pushes.services.connections == []


def test_a_batch_with_results_is_not_sent_again(pushes: Pushes) -> None:
    event = pushes.put(Browser().push())
    assert [pushes.send(event), pushes.send(event)] == [{"sent": 1}, {"repeated": 1}]
    assert len(pushes.services.requests) == 1
    assert len(pushes.stack.events) == 2  # the batch, and its results once


def test_without_a_public_key_there_is_no_push(
    pushes: Pushes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(settings, "push_public_key", "")
    assert pushes.send(pushes.put(Browser().push())) == {"not_sent": 1}
    assert pushes.results() == [Result(1, 1, None, None, "not_tried")]
    assert (pushes.services.connections, alarms(capsys)) == ([], [])


@pytest.mark.parametrize("private_key", ["", "no key", generate()[1]], ids=["none", "unreadable", "of another pair"])
def test_with_the_wrong_private_key_nothing_is_sent_and_an_alarm_says_so(
    pushes: Pushes, capsys: pytest.CaptureFixture[str], private_key: str
) -> None:
    secrets_manager.put(secrets_manager.PUSH_KEY, {"private_key": private_key})
    assert pushes.send(pushes.put(Browser().push())) == {"not_sent": 1}
    assert pushes.results() == [Result(1, 1, None, None, "not_tried")]
    assert (pushes.services.connections, alarms(capsys)) == ([], ["push_key_unusable"])


def test_no_message_is_begun_when_time_has_nearly_ended(pushes: Pushes) -> None:
    assert pushes.send(pushes.put(Browser().push()), seconds=29) == {"not_sent": 1}
    assert pushes.results() == [Result(1, 1, None, None, "not_tried")]
    assert pushes.services.connections == []


def test_what_is_no_batch_fails_and_nothing_is_sent(pushes: Pushes, monkeypatch: pytest.MonkeyPatch) -> None:
    event = pushes.put(Browser().push())
    other = json.loads(json.dumps(event))
    other["detail"]["object"]["key"] = "feed/2026/12/03/x.jsonl.gz"
    with pytest.raises(ForeignEvent):
        pushes.send(other)
    key = f"push/out/{secrets.token_hex(16)}.json"
    s3.client().put_object(Bucket=settings.feed_bucket, Key=key, Body=b"[]")
    with pytest.raises(MalformedBatch):
        pushes.send(pushes.stack.events[-1])
    secrets_client._client.cache_clear()
    monkeypatch.setattr(settings, "push_key_secret", "another")
    with pytest.raises(Exception, match="ResourceNotFoundException"):
        pushes.send(event)
    assert pushes.services.connections == []


def test_the_stand_in_of_make_run_gets_what_push_services_would(
    pushes: Pushes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "push_services_url", f"{pushes.stack.base}/push-services")
    monkeypatch.setattr(settings, "push_public_key", key.PUBLIC_KEY)
    secrets_manager.put(secrets_manager.PUSH_KEY, {"private_key": key.PRIVATE_KEY})
    base = pushes.stack.base
    subscription = httpx.post(f"{base}/push/browsers").json()
    push = Browser().push(subscription["endpoint"], id=1)
    ours = replace(push, **subscription["keys"], id=2)
    assert pushes.send(pushes.put(push, ours)) == {"sent": 2}
    caught = httpx.get(f"{base}/push.json", params={"endpoint": subscription["endpoint"]}).json()["items"]
    assert [one["message"] for one in caught if one["message"]] == [MESSAGE]
    assert [one["status"] for one in caught] == [201, 201]
    assert {one["claims"]["sub"] for one in caught} == {"mailto:hello@goatedvips.example"}
    assert pushes.services.looked_up == []

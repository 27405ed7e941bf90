"""The client of push services, against a server that stands for all of them and does what a test says."""

import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from goatedvips.clients import web_push
from goatedvips.clients.push_batches import Push, Result
from goatedvips.clients.vapid import Signer
from goatedvips.push_services import encode_base64url
from tests.support import push_services
from tests.support.push_services import FCM, PUBLIC_ADDRESS, Browser, Handler, PushServices, Step, answer

NOON = datetime(2026, 12, 3, 12, tzinfo=UTC)
SIGNER_KEY = encode_base64url(bytes(31) + b"\x07")
BROWSER = Browser()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushServices]:
    with (
        pytest.MonkeyPatch.context() as patched,
        push_services.run(tmp_path_factory.mktemp("services"), patched) as running,
    ):
        yield running


@pytest.fixture
def services(server: PushServices) -> PushServices:
    """The services as they are at first."""
    server.steps, server.addresses = [answer()], [[PUBLIC_ADDRESS]]
    server.requests, server.looked_up, server.connections = [], [], []
    return server


def send(*pushes: Push, seconds: float = 60.0, stand_in: str = "") -> list[Result]:
    signer = Signer(SIGNER_KEY, "GoatedVIPs <hello@goatedvips.example>")
    return web_push.send(pushes, signer, now=NOON, seconds=seconds, stand_in=stand_in)


def outcome(endpoint: str = f"{FCM}1") -> tuple[int | None, str | None]:
    """Status and error of one message."""
    (result,) = send(BROWSER.push(endpoint))
    return result.status, result.error


def numbered(count: int, endpoints: Sequence[str] = (f"{FCM}1",)) -> list[Push]:
    return [BROWSER.push(endpoints[number % len(endpoints)], id=number + 1, attempt=3) for number in range(count)]


def test_a_request_is_what_the_rfcs_ask_for(services: PushServices) -> None:
    send(BROWSER.push("https://web.push.apple.com/Q/a;b=1/c;d?e=%3B&f=;", ttl=90, topic="t", urgency="high"))
    (request,) = services.requests
    assert (request.host, request.path) == ("web.push.apple.com", "/Q/a;b=1/c;d?e=%3B&f=;")
    assert request.headers.pop("authorization").startswith("vapid t=")
    assert int(request.headers.pop("content-length")) == len(request.body)
    assert request.headers == {
        "host": "web.push.apple.com",
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
        "ttl": "90",
        "topic": "t",
        "urgency": "high",
    }
    assert json.dumps(push_services.MESSAGE)[:9].encode() not in request.body


def test_each_service_gets_a_token_of_its_own_and_messages_to_one_service_the_same(services: PushServices) -> None:
    endpoints = [f"{FCM}1", "https://updates.push.services.mozilla.com/wpush/v2/x"]
    assert [result.status for result in send(*numbered(6, endpoints))] == [201] * 6
    tokens = {(request.host, request.headers["authorization"]) for request in services.requests}
    assert sorted(host for host, _ in tokens) == ["fcm.googleapis.com", "updates.push.services.mozilla.com"]
    assert len({token for _, token in tokens}) == 2


def test_the_status_is_reported(services: PushServices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_push, "MOST_AT_ONCE", 1)
    statuses = [200, 201, 202, 400, 401, 403, 404, 410, 413, 429, 500, 502, 503, 201]
    services.steps = [answer(status) for status in statuses]
    assert send(*numbered(len(statuses))) == [Result(n, 3, status) for n, status in enumerate(statuses, 1)]


def test_a_redirect_is_reported_and_not_followed(services: PushServices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_push, "MOST_AT_ONCE", 1)
    statuses = [301, 302, 303, 307, 308]
    services.steps = [answer(status, Location=f"{FCM}elsewhere") for status in statuses]
    assert [(result.status, result.error) for result in send(*numbered(5))] == [(status, None) for status in statuses]
    assert [request.path for request in services.requests] == ["/fcm/send/1"] * 5


WAITS = [
    ("120", 120),
    ("0", 0),
    ("Thu, 03 Dec 2026 12:01:30 GMT", 90),
    ("Thu, 03 Dec 2026 11:00:00 GMT", 0),
    ("9" * 20_000, 7 * 24 * 3600),
    ("Fri, 31 Dec 9999 23:59:59 GMT", 7 * 24 * 3600),
    *((text, None) for text in ("", "-1", "1.5", "soon", "²", "Thu, 99 Dec 2026 12:00:00 GMT")),
]


def test_how_long_to_wait_is_reported_in_seconds(services: PushServices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_push, "MOST_AT_ONCE", 1)
    services.steps = [answer(429, Retry_After=text) for text, _ in WAITS]
    results = [(result.status, result.retry_after) for result in send(*numbered(len(WAITS)))]
    assert results == [(429, seconds) for _, seconds in WAITS]


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/x",
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com:80/x",
        "https://user@fcm.googleapis.com/x",
        "https://user:password@fcm.googleapis.com/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://169.254.169.254/latest/meta-data",
        "https://8.8.8.8/x",
        "https://134744072/x",
        "https://localhost/x",
        "https://push.example.com/x",
        "https://fcm.googleapis.com.example.com/x",
        "https://example.com/fcm.googleapis.com",
        "https://example.com#fcm.googleapis.com/x",
        "https://example.com\\@fcm.googleapis.com/x",
        "https://evilfcm.googleapis.com/x",
        "https://fcm.googleapis.com/x\r\nHost: example.com",
        "https://fcm.googleapis.com",
        "fcm.googleapis.com/x",
        "",
        f"{FCM}{'x' * 2048}",
    ],
)
def test_an_endpoint_that_is_none_of_a_known_service_is_never_contacted(services: PushServices, endpoint: str) -> None:
    assert outcome(endpoint) == (None, "unusable")
    assert (services.looked_up, services.connections) == ([], [])


@pytest.mark.parametrize(
    "addresses",
    [
        *(["127.0.0.1"], ["10.20.0.5"], ["172.16.0.1"], ["192.168.1.1"], ["169.254.169.254"], ["100.64.0.1"]),
        *(["0.0.0.0"], ["224.0.0.1"], ["240.0.0.1"], ["255.255.255.255"], ["192.0.2.1"]),  # noqa: S104
        *(
            ["::1"],
            ["::"],
            ["fe80::1%1"],
            ["fd00::1"],
            ["ff02::1"],
            ["::ffff:10.0.0.1"],
            ["::ffff:224.0.0.1"],
            ["2002:0a00:0001::1"],
        ),
        *(["64:ff9b::a00:1"], ["64:ff9b:1::1"], ["2001:db8::1"], ["2001:0:4136:e378:8000:63bf:3fff:fdd2"]),
        [PUBLIC_ADDRESS, "10.0.0.1"],
        ["2606:4700::1", "::1"],
    ],
    ids=str,
)
def test_a_host_with_an_address_that_is_not_public_is_never_contacted(
    services: PushServices, addresses: list[str]
) -> None:
    services.addresses = [addresses]
    assert outcome() == (None, "NotPublicError")
    assert (services.looked_up, services.connections) == (["fcm.googleapis.com"], [])


def test_a_socket_that_listens_on_this_machine_sees_nothing(services: PushServices) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        here = f"127.0.0.1:{listener.getsockname()[1]}"
        services.addresses = [["127.0.0.1"]]
        places = (
            here,
            here.replace("127.0.0.1", "localhost"),
            f"fcm.googleapis.com@{here}",
            f"fcm.googleapis.com:{here[10:]}",
        )
        pushes = [BROWSER.push(f"{scheme}://{place}/x") for scheme in ("https", "http") for place in places]
        assert {result.error for result in send(*pushes, BROWSER.push())} == {"unusable", "NotPublicError"}
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_connection_goes_to_the_address_that_was_checked(services: PushServices) -> None:
    services.addresses = [[PUBLIC_ADDRESS], ["127.0.0.1"]]
    assert outcome() == (201, None)
    assert (services.looked_up, services.connections) == (["fcm.googleapis.com"], [(PUBLIC_ADDRESS, 443)])


def test_the_next_address_is_tried_where_one_takes_no_connection(services: PushServices) -> None:
    services.addresses = [["1.1.1.1", PUBLIC_ADDRESS]]  # nothing listens where the first one leads
    assert outcome() == (201, None)
    assert services.connections == [("1.1.1.1", 443), (PUBLIC_ADDRESS, 443)]


def test_a_host_that_is_unknown_or_takes_no_connection_is_no_answer(
    services: PushServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.addresses = [["1.1.1.1"]]
    assert outcome() == (None, "ConnectError")
    services.addresses = [[]]
    assert outcome() == (None, "ConnectError")

    def fail(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert outcome() == (None, "ConnectError")


def test_a_certificate_of_another_host_is_refused(services: PushServices) -> None:
    assert outcome("https://a.b.push.apple.com/x") == (None, "ConnectError")  # `*` stands for one label
    assert services.requests == []


def test_no_proxy_of_the_environment_is_used(services: PushServices, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0)
        for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        assert outcome() == (201, None)
        with pytest.raises(BlockingIOError):
            proxy.accept()


@pytest.mark.parametrize(
    "changes",
    [
        *({"p256dh": key} for key in ("BCVx", "=", encode_base64url(b"\x04" + bytes(64)))),
        {"auth": "a"},
        {"message": {"title": "x" * 4000}},
    ],
    ids=lambda changes: str(changes)[:30],
)
def test_a_message_that_cannot_be_encrypted_is_unusable_and_the_others_are_sent(
    services: PushServices, changes: dict[str, Any]
) -> None:
    results = send(BROWSER.push(id=1, **changes), BROWSER.push(id=2))
    assert [(result.status, result.error) for result in results] == [(None, "unusable"), (201, None)]


def stall(handler: Handler) -> None:
    time.sleep(3)


def trickle(handler: Handler) -> None:
    """Send a byte of the header six times a second, so that no single read waits long."""
    try:
        for octet in b"HTTP/1.1 201 Created\r\n":
            handler.wfile.write(bytes([octet]))
            time.sleep(0.15)
    except OSError:
        return


def stall_in_the_body(handler: Handler) -> None:
    handler.answer(201, {"Content-Length": "1000"}, b"x")
    time.sleep(3)


def break_off(handler: Handler) -> None:
    handler.close_connection = True


@pytest.mark.parametrize(
    ("step", "status", "error"),
    [(stall, None, "TimeoutError"), (trickle, None, "TimeoutError"), (stall_in_the_body, 201, None)],
)
def test_a_request_has_its_time_in_all(
    services: PushServices, monkeypatch: pytest.MonkeyPatch, step: Step, status: int | None, error: str | None
) -> None:
    monkeypatch.setattr(web_push, "REQUEST_SECONDS", 0.4)
    services.steps = [step]
    started = time.monotonic()
    assert outcome() == (status, error)
    assert time.monotonic() - started < 2.5


def test_a_look_up_that_takes_long_delays_nothing_more_than_its_message(
    services: PushServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_push, "REQUEST_SECONDS", 0.2)
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: released.wait(5))
    started = time.monotonic()
    assert outcome() == (None, "TimeoutError")
    assert time.monotonic() - started < 3
    released.set()


def test_an_answer_without_end_is_not_read(services: PushServices) -> None:
    sent: list[int] = []

    def pour(handler: Handler) -> None:
        handler.answer(201, {"Content-Length": str(10**9)})
        try:
            while len(sent) < 10**3:
                sent.append(handler.wfile.write(bytes(10**6)))
        except OSError:
            return

    services.steps = [pour]
    assert outcome() == (201, None)
    assert sum(sent) < 10**8


@pytest.mark.parametrize("step", [break_off, lambda handler: handler.wfile.write(b"SMTP\r\n\r\n")])
def test_what_is_no_answer_is_reported_as_none(services: PushServices, step: Step) -> None:
    services.steps = [step]
    assert outcome() == (None, "RemoteProtocolError")


def test_no_more_requests_than_the_limit_run_at_once_and_all_get_their_turn(
    services: PushServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_push, "MOST_AT_ONCE", 3)
    lock, running, most = threading.Lock(), 0, 0

    def count(handler: Handler) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        handler.answer(201, {})

    services.steps = [count]
    results = send(*numbered(20))
    assert [(result.id, result.attempt, result.status) for result in results] == [(n, 3, 201) for n in range(1, 21)]
    assert most == 3
    assert len(services.connections) == 3  # they are used again


def test_what_time_does_not_allow_is_not_tried(services: PushServices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_push, "MOST_AT_ONCE", 2)

    def wait(handler: Handler) -> None:
        time.sleep(1.6)
        handler.answer(201, {})

    services.steps = [wait]
    results = send(*numbered(6), seconds=1.5)  # the first two need a part of it to connect
    assert [(result.status, result.error) for result in results] == [(201, None)] * 2 + [(None, "not_tried")] * 4
    assert len(services.requests) == 2


@pytest.mark.parametrize("path", ["", "/", "/push-services"])
def test_a_stand_in_gets_all_requests_and_the_rule_for_endpoints_stays(services: PushServices, path: str) -> None:
    pushes = [BROWSER.push("https://web.push.apple.com/a;b?c"), BROWSER.push("https://example.com/x")]
    results = send(*pushes, stand_in=f"{services.url}{path}")
    assert [(result.status, result.error) for result in results] == [(201, None), (None, "unusable")]
    (request,) = services.requests
    assert request.path == f"{path.rstrip('/')}/web.push.apple.com/a;b?c"
    assert services.looked_up == []


def test_nothing_is_logged_that_would_let_others_send(services: PushServices, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        outcome(f"{FCM}secret-of-the-browser")
    assert "secret-of-the-browser" not in caplog.text

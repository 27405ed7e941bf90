"""The client of the affiliate API, against a server that does what a test says."""

import base64
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from goatedvips.clients import affiliate
from goatedvips.clients.affiliate import Fetch, token_ends_at

PLENTY = 540.0  # seconds
NOON, SECOND = datetime(2026, 12, 3, 12, tzinfo=UTC), timedelta(seconds=1)
ROW = {"uid": "a", "wagered": {"all_time": 1}}


class Handler(BaseHTTPRequestHandler):
    """Answers each request by the server's next step."""

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers.get("Authorization")))  # type: ignore[attr-defined]
        steps = self.server.steps  # type: ignore[attr-defined]
        (steps.pop(0) if len(steps) > 1 else steps[0])(self)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def send(self, status: int, body: str, promised: int | None = None) -> None:
        octets = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(octets) if promised is None else promised))
        self.end_headers()
        self.wfile.write(octets)


type Step = Callable[[Handler], None]


def answer(status: int, body: str = "error") -> Step:
    return lambda handler: handler.send(status, body)


def page(total: int) -> Step:
    return answer(200, json.dumps({"metadata": {"totalPages": total}, "data": [ROW]}))


def break_off(handler: Handler) -> None:
    handler.send(200, '{"success": true, "da', promised=1000)


def trickle(handler: Handler) -> None:
    """Send a byte every tenth of a second, so that no single read waits long."""
    handler.send(200, "", promised=1000)
    for _ in range(100):
        try:
            handler.wfile.write(b" ")
        except OSError:
            return
        time.sleep(0.1)


class Server:
    """Where the steps are set, and the requests are seen."""

    def __init__(self, http: ThreadingHTTPServer) -> None:
        self._http = http
        self.url = f"http://127.0.0.1:{http.server_address[1]}/v7/feed?key=of-the-partner"

    def fetch(self, *steps: Step, token: str = "", seconds: float = PLENTY) -> Fetch:
        self._http.steps = list(steps)  # type: ignore[attr-defined]
        self._http.requests = []  # type: ignore[attr-defined]
        instants = itertools.count()
        return affiliate.fetch(self.url, token, seconds=seconds, clock=lambda: NOON + next(instants) * SECOND)

    @property
    def requests(self) -> list[tuple[str, str | None]]:
        made: list[tuple[str, str | None]] = self._http.requests  # type: ignore[attr-defined]
        return made


def came(fetched: Fetch) -> tuple[list[Any], str | None]:
    """The pages, and why there are not more."""
    return list(fetched.pages), fetched.failure


@pytest.fixture
def server() -> Iterator[Server]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    http.block_on_close = False
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    with stamina.set_testing(True, attempts=affiliate.TRIES):  # the tries, without the waits between them
        yield Server(http)
    http.shutdown()
    http.server_close()


def test_the_url_is_complete_and_the_token_optional(server: Server) -> None:
    assert came(server.fetch(answer(200, "[]"))) == ([(1, 200, "[]")], None)
    assert server.requests == [("/v7/feed?key=of-the-partner", None)]
    server.fetch(answer(200, "[]"), token="a.b.c")
    assert server.requests == [("/v7/feed?key=of-the-partner", "Bearer a.b.c")]


def test_further_pages_are_asked_for_by_number(server: Server) -> None:
    fetched = server.fetch(page(3), page(3), page(4), page(4))
    assert [(page.page, page.status) for page in fetched.pages] == [(1, 200), (2, 200), (3, 200), (4, 200)]
    assert fetched.failure is None
    paths = [path for path, _ in server.requests]
    assert paths == ["/v7/feed?key=of-the-partner"] + [f"/v7/feed?key=of-the-partner&page={n}" for n in (2, 3, 4)]


@pytest.mark.parametrize(
    ("path", "second"),
    [
        ("/feed", "/feed?page=2"),
        ("/feed?key=a%20b%2Bc&flag", "/feed?key=a%20b%2Bc&flag&page=2"),
        ("/feed?page=1&limit=500", "/feed?page=2&limit=500"),
    ],
)
def test_what_else_is_in_the_url_stays_as_it_is(server: Server, path: str, second: str) -> None:
    server.url = server.url.replace("/v7/feed?key=of-the-partner", path)
    server.fetch(page(2))
    assert [path for path, _ in server.requests] == [path, second]


@pytest.mark.parametrize("failure", [answer(500), answer(502, ""), answer(429), answer(404), break_off])
def test_a_failure_is_tried_again(server: Server, failure: Step) -> None:
    assert came(server.fetch(failure, failure, failure, failure, answer(200, "[]"))) == ([(1, 200, "[]")], None)
    assert len(server.requests) == 5


@pytest.mark.parametrize(
    ("failure", "pages", "reason"),
    [
        (answer(500), [(1, 500, "error")], "status 500"),
        (answer(503, ""), [], "status 503"),
        (answer(302, "moved"), [(1, 302, "moved")], "status 302"),
        (break_off, [], "RemoteProtocolError"),
    ],
)
def test_after_five_tries_the_last_answer_with_a_body_is_all_there_is(
    server: Server, failure: Step, pages: list[Any], reason: str
) -> None:
    assert came(server.fetch(failure)) == (pages, reason)
    assert len(server.requests) == 5


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_not_tried_again(server: Server, status: int) -> None:
    assert came(server.fetch(answer(status))) == ([(1, status, "error")], f"status {status}")
    assert len(server.requests) == 1


def test_no_page_is_asked_for_after_one_that_failed(server: Server) -> None:
    fetched = server.fetch(page(3), answer(401), page(3))
    assert [(page.page, page.status) for page in fetched.pages] == [(1, 200), (2, 401)]
    assert fetched.failure == "status 401"


def test_the_instant_is_that_of_the_request_that_was_answered(server: Server) -> None:
    """Otherwise figures of minutes after a race's end would have an instant before it."""
    first = server.fetch(page(2))
    assert (len(first.pages), first.requested_at) == (2, NOON + SECOND)
    third = server.fetch(answer(502, ""), break_off, page(2), page(2))
    assert (len(third.pages), third.requested_at) == (2, NOON + 3 * SECOND)
    error = server.fetch(break_off, answer(500), break_off)
    assert (error.pages[0].status, error.requested_at) == (500, NOON + 2 * SECOND)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "UnsupportedProtocol"),
        ("feed.example/v7", "UnsupportedProtocol"),
        ("http://feed:port/", "InvalidURL"),
        ("http://nowhere.invalid/", "ConnectError"),
    ],
)
def test_a_url_that_leads_nowhere_is_a_failure(server: Server, url: str, reason: str) -> None:
    server.url = url
    assert came(server.fetch(answer(200))) == ([], reason)


def test_what_is_no_feed_is_handed_on_at_once(server: Server) -> None:
    assert came(server.fetch(answer(200, "<html>"))) == ([(1, 200, "<html>")], None)
    assert len(server.requests) == 1


def test_a_request_has_its_time_in_all_however_often_bytes_arrive(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(affiliate, "REQUEST_SECONDS", 0.5)
    started = time.monotonic()
    assert came(server.fetch(trickle, answer(200, "[]"))) == ([(1, 200, "[]")], None)
    assert 0.4 < time.monotonic() - started < 4
    assert len(server.requests) == 2


def test_no_request_begins_after_the_end(server: Server) -> None:
    assert came(server.fetch(page(9), seconds=-1.0)) == ([], "out of time")
    assert server.requests == []


def test_an_answer_without_end_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(affiliate, "LARGEST_ANSWER", 100)
    assert came(server.fetch(answer(200, "x" * 101))) == ([], "too many bytes")
    assert len(server.requests) == 1
    fetched = server.fetch(page(3))
    assert (len(fetched.pages), fetched.failure) == (1, "too many bytes")


def test_the_waits_between_tries_grow(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def note(details: RetryDetails) -> None:
        waits.append(details.wait_for)

    monkeypatch.setattr(affiliate, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(affiliate, "LONGEST_JITTER", 0.01)
    set_on_retry_hooks([note])
    try:
        with stamina.set_testing(False):
            server.fetch(answer(500))
    finally:
        set_on_retry_hooks(None)
    assert [int(wait / 0.02 + 0.001) for wait in waits] == [1, 2, 4, 8]
    assert len({round(wait / (0.02 * 2**n), 6) for n, wait in enumerate(waits)}) > 1  # the jitter


def test_nothing_is_logged_that_could_hold_a_key(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        server.fetch(answer(500), token="a.secret.token")
    assert "of-the-partner" not in caplog.text
    assert "secret" not in caplog.text


def encode(payload: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("ends", [1_796_299_200, 1_796_299_200.9])
def test_the_end_of_a_token_is_read_without_its_key(ends: float) -> None:
    for padding in range(4):
        token = f"{encode({'alg': 'HS256'})}.{encode({'exp': ends, 'x': 'x' * padding})}.signature"
        assert token_ends_at(token) == datetime(2026, 12, 3, 12, tzinfo=UTC)


NO_ENDS: tuple[object, ...] = ("soon", None, [], 1e300, -(10**20), float("nan"), float("inf"))


@pytest.mark.parametrize(
    "token",
    [
        *("", "opaque", "a.b", "a.b.c", "..", "a.é.c", f"a.{encode([])}.c", f"a.{encode({})}.c", f"a.{encode(None)}.c"),
        *(f"a.{encode({'exp': exp})}.c" for exp in NO_ENDS),
        f"a.{base64.urlsafe_b64encode(b'[' * 200_000).decode()}.c",
        f"a.{base64.urlsafe_b64encode(bytes([0xFF])).decode()}.c",
    ],
)
def test_a_token_without_a_readable_end_has_none(token: str) -> None:
    assert token_ends_at(token) is None

"""A stand-in for browsers' push services: it takes push messages for every endpoint, and shows them at /push.

What it refuses, it refuses by the standards, which are read here apart from the code that sends:
https://www.rfc-editor.org/rfc/rfc8030 (requests), rfc8291 (encryption) and rfc8292 (signatures).
"""

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from goatedvips.push_services import encode_base64url
from local.stand_ins.push import browsers
from local.stand_ins.push.tokens import RefusedTokenError, verify

MOST_MESSAGES = 10_000
"""How many messages are stored; then the oldest is removed."""
LARGEST_BODY = 4096  # bytes; RFC 8030, section 7.2
HEADER_BYTES = 16 + 4 + 1 + 65  # salt, record size, length of the key, key
SHORTEST_BODY = HEADER_BYTES + 1 + 16  # delimiter and tag of no text
TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
URGENCIES = {"very-low", "low", "normal", "high"}


class RefusalError(Exception):
    """A push service would refuse the request, with this status; the text says why."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        """Take both."""
        self.status = status
        super().__init__(reason)


@dataclass(frozen=True)
class Behaviour:
    """How accepted messages are answered; the defaults are those of a service that works."""

    status: int = 201
    retry_after: str = ""
    location: str = ""
    seconds: float = 0.0
    """How long each answer takes."""
    endpoint: str = ""
    """With what the endpoints begin that are answered so; empty: all."""

    @classmethod
    def parse(cls, document: dict[str, Any]) -> "Behaviour":
        """Read a behaviour from JSON.

        Raises
        ------
        ValueError, TypeError: it has a field that does not exist, or another type than the field has.
        """
        behaviour = replace(cls(), **document)
        for name, default in asdict(cls()).items():
            if not isinstance(getattr(behaviour, name), (int, float) if isinstance(default, float) else type(default)):
                raise TypeError(f"{name} must be of the type {type(default).__name__}")
        if behaviour.status not in range(200, 600):
            raise ValueError("status must be from 200 to 599")
        return behaviour


@dataclass(frozen=True)
class Caught:
    """A message that came."""

    endpoint: str
    status: int
    """What it was answered."""
    reason: str
    """Why it was refused; empty if it was not."""
    sent_at: str
    headers: dict[str, str]
    """By their names in lower case."""
    body: str
    """The encrypted message, as base64url: whoever has the browser's keys can decrypt it."""
    claims: dict[str, Any] | None
    """Of the token; null if it was refused."""
    message: Any
    """The JSON document; null if it is not encrypted for a browser of `POST /push/browsers`."""


class PushService:
    """All push services, and the browsers that this machine plays.

    Parameters
    ----------
    public_key: with which all subscriptions were made, as base64url.
    clock: returns the present instant of the platform, aware.
    """

    def __init__(self, public_key: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Start without messages."""
        self.behaviour = Behaviour()
        self._public_key, self._clock = public_key, clock
        self._caught: deque[Caught] = deque(maxlen=MOST_MESSAGES)
        self._lock = threading.Lock()

    def take(self, endpoint: str, headers: Any, body: bytes) -> tuple[int, dict[str, str], str]:  # noqa: ANN401
        """Take a request, and return status, headers and text of the answer."""
        chosen = self.behaviour if endpoint.startswith(self.behaviour.endpoint) else Behaviour()
        status, reason, answer = chosen.status, "", {"Retry-After": chosen.retry_after, "Location": chosen.location}
        claims = message = None
        try:
            claims = self._check(endpoint, headers, body)
            message = browsers.read(endpoint, body)
            time.sleep(chosen.seconds)
            if status == HTTPStatus.CREATED:
                answer["Location"] = f"{endpoint}/message"
        except RefusalError as refusal:
            status, reason, answer = refusal.status, str(refusal), {}
        caught = Caught(
            endpoint=endpoint,
            status=int(status),
            reason=reason,
            sent_at=self._clock().isoformat(),
            headers={name.lower(): value for name, value in headers.items()},
            body=encode_base64url(body),
            claims=claims,
            message=message,
        )
        with self._lock:
            self._caught.appendleft(caught)
        return caught.status, {name: value for name, value in answer.items() if value}, reason

    def find(self, endpoint: str = "") -> list[Caught]:
        """Return the messages, newest first: to one endpoint, or all."""
        with self._lock:
            caught = list(self._caught)
        return [one for one in caught if endpoint in ("", one.endpoint)]

    def _check(self, endpoint: str, headers: Any, body: bytes) -> dict[str, Any]:  # noqa: ANN401
        """Return the claims of the token; refuse what a push service refuses."""
        if not headers.get("TTL", "").isdecimal():
            raise RefusalError(HTTPStatus.BAD_REQUEST, "TTL is missing or no number of seconds (RFC 8030, section 5.2)")
        if "Topic" in headers and not TOPIC.fullmatch(headers["Topic"]):
            raise RefusalError(HTTPStatus.BAD_REQUEST, "Topic is no base64url of 32 characters (RFC 8030, section 5.4)")
        if headers.get("Urgency", "normal") not in URGENCIES:
            raise RefusalError(HTTPStatus.BAD_REQUEST, "Urgency is unknown (RFC 8030, section 5.3)")
        if len(body) > LARGEST_BODY:
            raise RefusalError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "more than 4096 bytes (RFC 8030, section 7.2)")
        is_one_record = len(body) >= SHORTEST_BODY and len(body) - HEADER_BYTES <= int.from_bytes(body[16:20])
        if headers.get("Content-Encoding") != "aes128gcm" or not is_one_record or body[20:22] != b"\x41\x04":
            raise RefusalError(HTTPStatus.BAD_REQUEST, "not aes128gcm with a key of P-256 (RFC 8291, section 4)")
        try:
            return verify(headers.get("Authorization", ""), endpoint, self._public_key, self._clock())
        except RefusedTokenError as refused:
            raise RefusalError(HTTPStatus.FORBIDDEN, f"{refused} (RFC 8292)") from refused

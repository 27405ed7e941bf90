"""A stand-in for the affiliate API: its accounts wager as time goes by, and it can be told to misbehave.

`PUT /affiliate/behaviour` tells it how to answer, as in `{"shape": "grouped", "fault": "html"}`; what the body leaves
out is as at the start.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from flask import Flask, Response, jsonify, request

from local.stand_ins.feeds import Casino, Fault, Shape, write, write_faulty, write_pages

PATH = "/affiliate/feed"


@dataclass(frozen=True)
class Behaviour:
    """How the stand-in answers."""

    shape: Shape = Shape.DATA
    texts: bool = False
    """Whether figures are JSON strings."""
    page_size: int = 0
    """Entries of one page; 0: all entries are on one page, which does not say how many pages there are."""
    fault: Fault | None = None
    status: int = HTTPStatus.OK
    """Another status than 200 has a body that is no feed."""
    seconds: float = 0.0
    """How long it waits before it answers."""
    stopped_at: datetime | None = None
    """The instant from which on its figures do not change any more, and `lastUpdated` with them."""
    shows_metadata: bool = True
    """Whether an answer that is no bare array says when it was updated and how many accounts it has."""
    needs_token: bool = False
    """Whether a token of `issue_token` is needed that has not ended."""

    @classmethod
    def parse(cls, document: dict[str, object]) -> "Behaviour":
        """Read a behaviour from JSON.

        Raises
        ------
        ValueError, TypeError: it has a field or a value that does not exist.
        """
        values = dict(document)
        for name, read in {"shape": Shape, "fault": Fault, "stopped_at": _read_instant}.items():
            if values.get(name) is not None:
                values[name] = read(str(values[name]))
        return replace(cls(), **values)  # type: ignore[arg-type]


class AffiliateApi:
    """Answers requests for the feed of a casino, at any instant."""

    def __init__(self, casino: Casino) -> None:
        """Start with the behaviour of an API that works."""
        self._casino = casino
        self._secret = secrets.token_bytes(32)
        self.behaviour = Behaviour()

    def answer(self, now: datetime, page: int, authorization: str = "") -> tuple[int, str]:
        """Return the status and the body of one request.

        Parameters
        ----------
        now: aware; the feed is that of this instant.
        page: from 1 on.
        authorization: the header of that name.
        """
        behaviour = self.behaviour
        if behaviour.needs_token and not self._is_valid(authorization.removeprefix("Bearer "), now):
            return HTTPStatus.UNAUTHORIZED, '{"success":false,"message":"Unauthorized"}'
        if behaviour.status != HTTPStatus.OK:
            return behaviour.status, "<!doctype html><h1>Something went wrong</h1>"
        instant = min(now, behaviour.stopped_at or now)
        entries = self._casino.feed(instant)
        if behaviour.fault:
            return HTTPStatus.OK, write_faulty(entries, behaviour.fault, seed=int(instant.timestamp()))
        if behaviour.page_size:
            pages = write_pages(entries, behaviour.page_size, behaviour.shape)
            return (HTTPStatus.OK, pages[page - 1]) if 0 < page <= len(pages) else (HTTPStatus.NOT_FOUND, "{}")
        metadata: dict[str, object] = {"totalUsers": len(entries), "lastUpdated": instant.isoformat()}
        shown = metadata if behaviour.shows_metadata else None
        return HTTPStatus.OK, write(entries, behaviour.shape, texts=behaviour.texts, metadata=shown)

    def issue_token(self, ends_at: datetime) -> str:
        """Return a JSON Web Token (RFC 7519) that is valid until an instant."""
        parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": "affiliate", "exp": int(ends_at.timestamp())}]
        text = ".".join(_encode(json.dumps(part).encode()) for part in parts)
        return f"{text}.{self._sign(text)}"

    def _sign(self, text: str) -> str:
        return _encode(hmac.digest(self._secret, text.encode(), hashlib.sha256))

    def _is_valid(self, token: str, now: datetime) -> bool:
        text, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature, self._sign(text)):
            return False
        payload = text.partition(".")[2]
        ends_at = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]
        return now.timestamp() < float(ends_at)


def _read_instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _encode(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def open_casino(members: Iterable[tuple[str, str]] = ()) -> Casino:
    """Return the same casino at each start of the platform; see `Casino` for the parameter."""
    return Casino(2_000, 1_841, members)


def start(members: Iterable[tuple[str, str]], now: datetime, token_hours: str) -> tuple[AffiliateApi, str]:
    """Return the stand-in of a platform, and the token for it; empty if it needs none.

    Parameters
    ----------
    members: see `Casino`.
    now: by the platform's clock, aware.
    token_hours: a number of hours after which the token ends; empty for no token. It is what somebody typed.
    """
    api = AffiliateApi(open_casino(members))
    if not token_hours:
        return api, ""
    try:
        token = api.issue_token(now + timedelta(hours=float(token_hours)))
    except (ValueError, OverflowError):
        raise SystemExit(f"AFFILIATE_TOKEN_HOURS must be a number of hours, not {token_hours!r}.") from None
    api.behaviour = Behaviour(needs_token=True)
    return api, token


def serve(app: Flask, api: AffiliateApi, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
    """Add the route of the feed, and the one that says how it is answered.

    Parameters
    ----------
    clock: returns the present instant of the platform, aware.
    """

    @app.get(PATH)
    def feed() -> Response:
        time.sleep(api.behaviour.seconds)
        page = request.args.get("page", 1, int)
        status, body = api.answer(clock(), page, request.headers.get("Authorization", ""))
        kind = "text/html" if body.startswith("<") else "application/json"
        return Response(body, status, content_type=f"{kind}; charset=utf-8")

    @app.route("/affiliate/behaviour", methods=["GET", "PUT"])
    def behaviour() -> tuple[Response, int]:
        if request.method == "PUT":
            try:
                api.behaviour = Behaviour.parse(request.get_json(force=True))
            except (ValueError, TypeError) as error:
                return jsonify(message=str(error)), HTTPStatus.BAD_REQUEST
        return jsonify(asdict(api.behaviour)), HTTPStatus.OK

"""The client of browsers' push services (RFC 8030): it sends encrypted messages, and reports what came of each."""

import asyncio
import json
import logging
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpcore

from goatedvips.clients.public_network import PublicNetwork
from goatedvips.clients.push_batches import NOT_TRIED, UNUSABLE, Push, Result
from goatedvips.clients.push_encryption import encrypt
from goatedvips.clients.vapid import Signer
from goatedvips.push_services import decode_base64url, normalize_endpoint

REQUEST_SECONDS: Final = 10.0
"""The longest that one request may take in all, from the look-up of the host to the last byte."""
MOST_AT_ONCE: Final = 50
"""Requests."""
LARGEST_ANSWER: Final = 4096
"""Bytes of a body, after which the connection is closed. Nothing in a body is used."""
LONGEST_RETRY_AFTER: Final = 7 * 24 * 3600
"""Seconds. A push service that asks for a longer wait gets this one."""

logging.getLogger("httpcore").setLevel(logging.WARNING)  # it logs endpoints, which must be known to nobody else


def send(pushes: Sequence[Push], signer: Signer, *, now: datetime, seconds: float, stand_in: str = "") -> list[Result]:
    """Send push messages, several at once, and return the result of each in their order.

    An endpoint gets a request only if `normalize_endpoint` accepts it and all addresses of its host are public. No
    redirect is followed. A message that was not tried has the error `NOT_TRIED`, one that cannot be sent `UNUSABLE`.

    Parameters
    ----------
    now: aware.
    seconds: no request begins later than these after the call; each may take `REQUEST_SECONDS` more.
    stand_in: the base URL of a stand-in for all push services, which gets the requests as `<base>/<host>/<path>`;
        empty for the push services themselves.
    """
    return asyncio.run(_send_all(pushes, signer, now, seconds, stand_in))


async def _send_all(
    pushes: Sequence[Push], signer: Signer, now: datetime, seconds: float, stand_in: str
) -> list[Result]:
    clock = asyncio.get_running_loop().time
    results = [Result(push.id, push.attempt, None, None, NOT_TRIED) for push in pushes]
    waiting = iter(range(len(pushes)))
    end = clock() + seconds

    async def work(pool: httpcore.AsyncConnectionPool) -> None:
        for number in waiting:
            if clock() > end:
                return
            results[number] = await _send(pool, pushes[number], signer, now, stand_in)

    async with _open_pool(is_public=not stand_in) as pool:
        await asyncio.gather(*(work(pool) for _ in range(MOST_AT_ONCE)))
    return results


@asynccontextmanager
async def _open_pool(*, is_public: bool) -> AsyncIterator[httpcore.AsyncConnectionPool]:
    """Give a pool of connections, of which each goes to a public address. It uses no proxy of the environment."""
    network = PublicNetwork(MOST_AT_ONCE) if is_public else None
    tls = httpcore.default_ssl_context() if is_public else None  # otherwise each connection would load all authorities
    try:
        async with httpcore.AsyncConnectionPool(tls, max_connections=MOST_AT_ONCE, network_backend=network) as pool:
            yield pool
    finally:
        if network is not None:
            network.close()


async def _send(pool: httpcore.AsyncConnectionPool, push: Push, signer: Signer, now: datetime, stand_in: str) -> Result:
    """Send one message. Whatever goes wrong becomes its result, because it must not stop the others."""
    try:
        host, _, path = normalize_endpoint(push.endpoint).removeprefix("https://").partition("/")
        message = json.dumps(push.message, ensure_ascii=False, separators=(",", ":")).encode()
        body = encrypt(message, decode_base64url(push.p256dh), decode_base64url(push.auth))
    except ValueError:
        return Result(push.id, push.attempt, None, None, UNUSABLE)
    headers: dict[bytes | str, bytes | str] = {
        "Authorization": signer.authorize(f"https://{host}", now),
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "TTL": str(push.ttl),
        "Topic": push.topic,
        "Urgency": push.urgency,
    }
    status = retry_after = error = None
    try:
        url = _request_url(host, path, stand_in)
        async with asyncio.timeout(REQUEST_SECONDS), pool.stream("POST", url, headers=headers, content=body) as answer:
            status, retry_after = answer.status, _read_retry_after(answer, now)
            await _read_body(answer)
    except Exception as failure:  # noqa: BLE001 - see above
        error = None if status else type(failure).__name__
    return Result(push.id, push.attempt, status, retry_after, error)


def _request_url(host: str, path: str, stand_in: str) -> httpcore.URL:
    """Return where a message goes. A URL that httpcore splits itself would lose what is behind a `;` in its path."""
    if not stand_in:
        return httpcore.URL(scheme="https", host=host, target=f"/{path}")
    base = httpcore.URL(stand_in)
    target = f"{base.target.decode().rstrip('/')}/{host}/{path}"
    return httpcore.URL(scheme=base.scheme, host=base.host, port=base.port, target=target)


def _read_retry_after(answer: httpcore.Response, now: datetime) -> int | None:
    """Return the seconds of `Retry-After`, which may be a date (RFC 9110, section 10.2.3); None if there are none."""
    text = next((value.decode("latin-1") for name, value in answer.headers if name.lower() == b"retry-after"), "")
    if text.isascii() and text.isdecimal():
        return min(int(text[:10]), LONGEST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    return min(max(0, math.ceil(seconds)), LONGEST_RETRY_AFTER)


async def _read_body(answer: httpcore.Response) -> None:
    """Read a body to its end, if it is small, so that the connection can be used again."""
    size = 0
    async for chunk in answer.aiter_stream():
        size += len(chunk)
        if size > LARGEST_ANSWER:
            return

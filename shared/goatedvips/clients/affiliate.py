"""The client of the affiliate API: it asks for all pages of the feed, and hands on what came, whatever it is."""

import asyncio
import base64
import binascii
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

import httpx
import stamina

from goatedvips.domain.wagers.feed import FeedPage, read_total_pages

REQUEST_SECONDS = 60.0
"""The longest that one request may take in all, from the look-up of the host to the last byte."""
TRIES = 5
"""Requests for one page."""
FIRST_WAIT = 1.0
"""Seconds before the second try; doubled for each further one."""
LONGEST_JITTER = 1.0
"""Seconds up to which a random wait is added to each."""
LARGEST_ANSWER = 50_000_000
"""Bytes of all pages together: some 400,000 accounts. Storing them takes up to eight times as much memory."""
_REFUSED = {401, 403}  # a further try with the same token would be refused too

logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each URL, which may hold a key


class _Failed(Exception):
    """A try that may succeed if it is repeated; its argument is the reason."""


class _Refused(Exception):
    """A request that no repetition helps; its argument is the reason."""


@dataclass
class Fetch:
    """What came of one request for the feed."""

    requested_at: datetime
    """When the request left that the first page answers, so that the figures are never older; aware."""
    pages: list[FeedPage] = field(default_factory=list)
    """All answers, in order; the last one may be an error. A page whose answer did not come is not among them."""
    failure: str | None = None
    """Why not every page came with a status of success: a status, or the class of an error. It quotes no URL."""


def fetch(url: str, token: str = "", *, seconds: float, clock: Callable[[], datetime]) -> Fetch:
    """Ask for the feed, and for its further pages where `metadata.totalPages` says that there are more.

    Parameters
    ----------
    url: the complete URL of the first page. Others are asked for with its parameter `page` set or replaced.
    token: sent as a bearer token, if there is one.
    seconds: no try begins later than these after the call.
    clock: returns the present instant, aware.
    """
    return asyncio.run(_fetch(url, token, monotonic() + seconds, clock))


async def _fetch(url: str, token: str, end: float, clock: Callable[[], datetime]) -> Fetch:
    fetched, wanted, size = Fetch(clock()), 1, 0
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    async with httpx.AsyncClient(headers=headers, timeout=REQUEST_SECONDS) as client:
        while fetched.failure is None and len(fetched.pages) < wanted:
            number = len(fetched.pages) + 1
            answer, fetched.failure = await _fetch_page(client, url, number, LARGEST_ANSWER - size, end, clock)
            if answer is not None:
                page, left_at = answer
                fetched.requested_at = left_at if number == 1 else fetched.requested_at
                fetched.pages.append(page)
                size += len(page.body)
                wanted = max(wanted, read_total_pages(page.body))
    return fetched


async def _fetch_page(
    client: httpx.AsyncClient, url: str, number: int, most_bytes: int, end: float, clock: Callable[[], datetime]
) -> tuple[tuple[FeedPage, datetime] | None, str | None]:
    """Return the last answer with a body and when its request left, and why the page failed; None if it did not."""
    answer: tuple[FeedPage, datetime] | None = None
    try:
        async for attempt in stamina.retry_context(
            on=_Failed, attempts=TRIES, timeout=None, wait_initial=FIRST_WAIT, wait_max=60.0, wait_jitter=LONGEST_JITTER
        ):
            with attempt:
                left_at = clock()
                status, body = await _request(client, url, number, most_bytes, end)
                if body or httpx.codes.is_success(status):
                    answer = FeedPage(number, status, body), left_at
                if not httpx.codes.is_success(status):
                    raise (_Refused if status in _REFUSED else _Failed)(f"status {status}")
    except (_Failed, _Refused) as error:
        return answer, str(error)
    return answer, None


def _page_url(url: httpx.URL, number: int) -> httpx.URL:
    """Return the URL of a page. httpx would write all parameters anew, `%20` as `+`, for setting one of them."""
    if number == 1 or "page" in url.params:
        return url if number == 1 else url.copy_set_param("page", number)
    return url.copy_with(query=(url.query + b"&" if url.query else b"") + b"page=%d" % number)


async def _request(client: httpx.AsyncClient, url: str, number: int, most_bytes: int, end: float) -> tuple[int, str]:
    """Return the status and the text of one answer; ask for none after `end`."""
    if monotonic() > end:
        raise _Refused("out of time")
    try:
        # The time-outs of httpx hold for each read, so that an answer that trickles would take any time.
        page_url = _page_url(httpx.URL(url), number)
        async with asyncio.timeout(REQUEST_SECONDS), client.stream("GET", page_url) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > most_bytes:
                    raise _Refused("too many bytes")
            return response.status_code, body.decode(errors="replace")
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise _Failed(type(error).__name__) from error


def token_ends_at(token: str) -> datetime | None:
    """Return `exp` of a JSON Web Token (RFC 7519, section 4.1.4), in UTC, without verifying the token.

    None if the token is no JWT, or has no end that can be read.
    """
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, payload and signature
        return None
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(int(payload["exp"]), UTC)
    except (ValueError, TypeError, KeyError, OverflowError, OSError, binascii.Error, RecursionError):
        return None

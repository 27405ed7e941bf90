"""The client of the bucket with the raw answers of the affiliate API, each of which can be read again.

An object is gzip of JSON lines, one for each page of an answer: `{"page", "status", "body"}`, with the body's text as
it came. Its key has the instant at which the request left.
"""

import gzip
import hashlib
import io
import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from goatedvips.clients.s3 import client
from goatedvips.config import settings
from goatedvips.domain.wagers.feed import FeedPage
from goatedvips.domain.wagers.feed_keys import PREFIX

SETTLED_PREFIX = "settled/"
"""Of copies of the feeds by which races were settled; the bucket keeps them longer."""
_TOKEN_ENDS_AT = "token-ends-at"  # noqa: S105 - the name of the object's metadata
_CHUNK = 2**16  # bytes


@dataclass(frozen=True)
class RawFeed:
    """An object of the bucket."""

    pages: Iterator[FeedPage]
    """Each is read from the object only when it is asked for; they can be asked for once."""
    sha256: str
    """The digest of the uncompressed bytes, in hexadecimal digits."""
    token_ends_at: datetime | None
    """When the token ends with which the feed was requested; None if it has no token, or one that shows no end."""


def feed_key(requested_at: datetime) -> str:
    """Return a new key, with milliseconds and in UTC.

    Parameters
    ----------
    requested_at: when the request left; aware.
    """
    at = requested_at.astimezone(UTC)
    instant = f"{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03}Z"
    return f"{PREFIX}{at:%Y/%m/%d}/{instant}-{secrets.token_hex(4)}.jsonl.gz"


def encode_feed(pages: Iterable[FeedPage]) -> bytes:
    """Return the content of the object with these pages.

    Its text is ASCII, with JSON's escapes for other characters: a text with one emoji takes four bytes for each of its
    characters in memory, and so only the body itself does when it is read.
    """
    lines = "".join(json.dumps(page._asdict()) + "\n" for page in pages)
    return gzip.compress(lines.encode("ascii"), mtime=0)


def put_feed(requested_at: datetime, pages: Iterable[FeedPage], token_ends_at: datetime | None = None) -> str:
    """Store the pages of one answer, and return the key.

    Parameters
    ----------
    requested_at: when the request left that the first page answers; aware.
    token_ends_at: aware; see `RawFeed`.

    Raises
    ------
    botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: S3 refuses it, or cannot be reached.
    """
    key = feed_key(requested_at)
    client().put_object(
        Bucket=settings.feed_bucket,
        Key=key,
        Body=encode_feed(pages),
        ContentType="application/gzip",
        Metadata={} if token_ends_at is None else {_TOKEN_ENDS_AT: token_ends_at.astimezone(UTC).isoformat()},
    )
    return key


def read_feed(key: str) -> RawFeed:
    """Read an object of the bucket.

    Raises
    ------
    botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: there is none, or S3 cannot be reached.
    OSError, EOFError, zlib.error: the object is not gzip.
    """
    answer = client().get_object(Bucket=settings.feed_bucket, Key=key)
    compressed = answer["Body"].read()
    digest = hashlib.sha256()
    with gzip.open(io.BytesIO(compressed)) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    ends = answer["Metadata"].get(_TOKEN_ENDS_AT)
    return RawFeed(_read_pages(compressed), digest.hexdigest(), ends and datetime.fromisoformat(ends))


def _read_pages(compressed: bytes) -> Iterator[FeedPage]:
    with gzip.open(io.BytesIO(compressed)) as lines:
        while page := _read_page(lines):
            yield page


def _read_page(lines: gzip.GzipFile) -> FeedPage | None:
    """Read the next page; None at the end. Nothing but the page stays in memory."""
    text = lines.readline().decode("ascii")
    return FeedPage(**json.loads(text)) if text else None


def keep_for_settlement(key: str) -> str:
    """Copy a feed to where it stays as long as the results of races must be verifiable; return the copy's key.

    A repetition replaces the copy by an equal one.

    Parameters
    ----------
    key: of a raw feed.

    Raises
    ------
    botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: there is none, or S3 cannot be reached.
    """
    copy = SETTLED_PREFIX + key.removeprefix(PREFIX)
    source = {"Bucket": settings.feed_bucket, "Key": key}
    client().copy_object(Bucket=settings.feed_bucket, Key=copy, CopySource=source)
    return copy

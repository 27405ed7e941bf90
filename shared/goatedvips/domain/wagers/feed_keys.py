"""The keys of raw feeds in S3: `feed/<YYYY>/<MM>/<DD>/<YYYYMMDDTHHMMSSmmmZ>-<8 hex>.jsonl.gz`."""

import re
from datetime import UTC, datetime

PREFIX = "feed/"
_KEY = re.compile(r"feed/\d{4}/\d\d/\d\d/(\d{8}T\d{6})(\d{3})Z-[0-9a-f]{8}\.jsonl\.gz", re.ASCII)


def requested_at_of(key: str) -> datetime:
    """Return the instant in a key at which the request left, in UTC.

    Raises
    ------
    ValueError: it is not the key of a raw feed.
    """
    match = _KEY.fullmatch(key)
    if not match:
        raise ValueError(f"{key!r} is not the key of a raw feed")
    instant = datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC, microsecond=1000 * int(match[2]))
    if not key.startswith(f"{PREFIX}{instant:%Y/%m/%d}/"):
        raise ValueError(f"{key!r} has two different days")
    return instant

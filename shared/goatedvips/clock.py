"""The one clock that handlers read; everything below takes `now` as a parameter."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)

"""The clock that handlers read. Everything that they call takes `now` as a parameter."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)

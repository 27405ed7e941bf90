"""The days of the wheel: from one UTC midnight to the next."""

from datetime import UTC, datetime, time, timedelta


def next_day(now: datetime) -> datetime:
    """Return the start of the next UTC day: the next spin is allowed then, and a published wheel is in force."""
    return datetime.combine(now.date() + timedelta(days=1), time(), UTC)

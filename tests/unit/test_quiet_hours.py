"""Quiet hours: whether an instant is in them, and when they end."""

from datetime import UTC, datetime, time, timedelta

import pytest

from goatedvips.domain.notifications.preferences.quiet_hours import QuietHours, end_of_quiet

NIGHT = QuietHours(time(22), time(7, 30), "Europe/Berlin")
NAP = QuietHours(time(13), time(14), "America/New_York")
SHORT_NIGHT = QuietHours(time(22), time(2, 30), "Europe/Berlin")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        (NIGHT, "2026-06-01T20:00", "2026-06-02T05:30"),
        (NIGHT, "2026-06-01T19:59:59", None),
        (NIGHT, "2026-06-02T05:29:59", "2026-06-02T05:30"),
        (NIGHT, "2026-06-02T05:30", None),
        (NIGHT, "2026-12-01T21:00", "2026-12-02T06:30"),
        (NAP, "2026-06-01T17:00", "2026-06-01T18:00"),
        (NAP, "2026-06-01T16:59:59", None),
        (NAP, "2026-06-01T18:00", None),
        # The last Sunday of October: 02:00 to 03:00 comes twice.
        (SHORT_NIGHT, "2026-10-25T00:20", "2026-10-25T00:30"),
        (SHORT_NIGHT, "2026-10-25T00:40", None),
        (SHORT_NIGHT, "2026-10-25T01:20", "2026-10-25T01:30"),
        (SHORT_NIGHT, "2026-10-24T22:00", "2026-10-25T00:30"),
        # The last Sunday of March: 02:30 does not come.
        (SHORT_NIGHT, "2026-03-29T00:59", "2026-03-29T01:30"),
        (SHORT_NIGHT, "2026-03-28T23:00", "2026-03-29T01:30"),
        (SHORT_NIGHT, "2026-03-29T01:00", None),
        (QuietHours(time(0), time(23, 59), "Etc/Nowhere"), "2026-06-01T12:00", None),
    ],
)
def test_quiet_hours_end_by_the_clock_of_their_zone(hours: QuietHours, now: str, end: str | None) -> None:
    assert end_of_quiet(hours, instant(now)) == (instant(end) if end else None)


@pytest.mark.parametrize("zone", ["Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "Asia/Kathmandu"])
@pytest.mark.parametrize(("begin", "end"), [(time(22), time(7, 30)), (time(0), time(0, 1)), (time(12), time(11, 59))])
def test_they_always_end_within_25_hours_and_are_over_then(zone: str, begin: time, end: time) -> None:
    hours, first = QuietHours(begin, end, zone), datetime(2026, 1, 1, tzinfo=UTC)
    ends = {now: end_of_quiet(hours, now) for now in (first + timedelta(minutes=97 * step) for step in range(5_400))}
    quiet = {now: until for now, until in ends.items() if until}
    assert quiet
    assert all(now < until <= now + timedelta(hours=25) for now, until in quiet.items())
    assert all(end_of_quiet(hours, until) is None for until in set(quiet.values()))

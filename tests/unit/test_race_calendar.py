"""The windows of repeating races, over the clock changes of several zones."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from goatedvips.domain.races.calendar import Window, next_window

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",  # half an hour off
    "Australia/Lord_Howe",  # its clock moves by half an hour
    "America/Sao_Paulo",  # skipped midnights until 2018
    "America/Havana",  # repeats midnights
    "Pacific/Apia",  # skipped 2011-12-30
    "Africa/Cairo",
    "Pacific/Kiritimati",  # 14 hours ahead
    "Pacific/Pago_Pago",  # 11 hours behind
]
LONG_AGO = datetime(2009, 1, 1, tzinfo=UTC)
LASTS = {"weekly": (7, 7), "monthly": (28, 31), "weekend": (2, 2)}


def series(kind: str, zone: ZoneInfo, start: datetime, until: datetime) -> list[Window]:
    windows = [next_window(kind, zone, after=start, now=LONG_AGO)]
    while windows[-1].end < until:
        windows.append(next_window(kind, zone, after=windows[-1].end, now=LONG_AGO))
    return windows


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("kind", LASTS)
def test_years_of_windows_begin_and_end_at_local_midnight_without_gap_or_overlap(kind: str, name: str) -> None:
    zone = ZoneInfo(name)
    windows = series(kind, zone, LONG_AGO, datetime(2027, 1, 1, tzinfo=UTC))
    shortest, longest = LASTS[kind]
    for window, following in pairwise(windows):
        assert following.start >= window.end
        if kind != "weekend":
            assert following.start == window.end
        else:
            assert timedelta(days=4) <= following.start - window.end < timedelta(days=6)
    for window in windows:
        begins, ends = window.start.astimezone(zone), window.end.astimezone(zone)
        first, last = opening(kind, begins.date()), ends.date()
        assert first == begins.date()
        assert shortest <= (last - first).days <= longest
        assert abs(window.end - window.start - (last - first)) <= timedelta(days=1)
        assert at_midnight(window.start, zone)
        assert at_midnight(window.end, zone)


def opening(kind: str, day: date) -> date:
    """The window's first day at or before this day."""
    match kind:
        case "weekly":
            return day - timedelta(days=day.weekday())
        case "weekend":
            return day - timedelta(days=(day.weekday() - 5) % 7)
    return day.replace(day=1)


def at_midnight(instant: datetime, zone: ZoneInfo) -> bool:
    """Whether the day changes there: it is 0:00, or the clock jumps over it."""
    before, there = (instant - timedelta(seconds=1)).astimezone(zone), instant.astimezone(zone)
    return before.date() < there.date() and (there.time() == time() or before.utcoffset() != there.utcoffset())


def test_a_window_is_an_hour_longer_when_the_clock_goes_back() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    found = next_window("weekly", berlin, after=datetime(2026, 10, 18, 22, tzinfo=UTC), now=LONG_AGO)
    assert found == Window(datetime(2026, 10, 18, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC))
    found = next_window("weekend", berlin, after=found.start, now=LONG_AGO)
    assert found == Window(datetime(2026, 10, 23, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC))


def test_a_skipped_midnight_is_the_moment_of_the_jump() -> None:
    sao_paulo = ZoneInfo("America/Sao_Paulo")  # on Sunday 2018-11-04 from 0:00 to 1:00
    found = next_window("monthly", sao_paulo, after=datetime(2018, 11, 1, 3, tzinfo=UTC), now=LONG_AGO)
    assert found == Window(datetime(2018, 11, 1, 3, tzinfo=UTC), datetime(2018, 12, 1, 2, tzinfo=UTC))


def test_months_are_as_long_as_they_are() -> None:
    after = datetime(2027, 12, 5, tzinfo=UTC)
    starts = [
        window.start.date() for window in series("monthly", ZoneInfo("UTC"), after, datetime(2028, 3, 2, tzinfo=UTC))
    ]
    assert starts == [date(2028, 1, 1), date(2028, 2, 1), date(2028, 3, 1)]


def test_after_an_end_between_windows_comes_the_next_whole_one() -> None:
    wednesday = datetime(2026, 6, 3, 15, tzinfo=UTC)
    for kind, start in (("weekly", 8), ("weekend", 6)):
        assert next_window(kind, ZoneInfo("UTC"), after=wednesday, now=wednesday).start.day == start
    monday = datetime(2026, 6, 8, 0, 0, 0, 1, tzinfo=UTC)
    assert next_window("weekly", ZoneInfo("UTC"), after=monday, now=monday).start.day == 15


def test_windows_that_are_over_are_passed_by_and_one_that_runs_is_not() -> None:
    end = datetime(2026, 6, 8, tzinfo=UTC)
    for now, start in ((end, 8), (datetime(2026, 6, 14, 23, tzinfo=UTC), 8), (datetime(2026, 6, 15, tzinfo=UTC), 15)):
        assert next_window("weekly", ZoneInfo("UTC"), after=end, now=now).start.day == start

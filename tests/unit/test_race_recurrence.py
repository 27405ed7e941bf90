"""The windows of repeating races, across the clock changes of several zones and across changes of their rules."""

from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from itertools import pairwise

import pytest

from goatedvips import time_zones
from goatedvips.domain.races.recurrence import LARGEST_SHIFT, Window, next_window

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

LONG_AGO = datetime(2009, 1, 7, 12, tzinfo=UTC)  # on no boundary of any zone
DAYS = {"weekly": (7, 7), "monthly": (28, 31), "weekend": (2, 2)}


def series(kind: str, zone: tzinfo, start: datetime, until: datetime) -> list[Window]:
    windows = [next_window(kind, zone, after=start, now=LONG_AGO)]
    while windows[-1].end < until:
        windows.append(next_window(kind, zone, after=windows[-1].end, now=LONG_AGO))
    return windows


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("kind", DAYS)
def test_years_of_windows_begin_and_end_at_local_midnight_without_gap_or_overlap(kind: str, name: str) -> None:
    zone = time_zones.zone(name)
    windows = series(kind, zone, LONG_AGO, datetime(2027, 1, 1, tzinfo=UTC))
    shortest, longest = DAYS[kind]
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
    """The last day, up to this one, on which a window opens."""
    match kind:
        case "weekly":
            return day - timedelta(days=day.weekday())
        case "weekend":
            return day - timedelta(days=(day.weekday() - 5) % 7)
    return day.replace(day=1)


def at_midnight(instant: datetime, zone: tzinfo) -> bool:
    """Whether a local day begins at this instant: at 0:00, or at a jump of the clock over it."""
    before, there = (instant - timedelta(seconds=1)).astimezone(zone), instant.astimezone(zone)
    return before.date() < there.date() and (there.time() == time() or before.utcoffset() != there.utcoffset())


def test_a_window_is_an_hour_longer_when_the_clock_goes_back() -> None:
    berlin = time_zones.zone("Europe/Berlin")
    found = next_window("weekly", berlin, after=datetime(2026, 10, 18, 22, tzinfo=UTC), now=LONG_AGO)
    assert found == Window(datetime(2026, 10, 18, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC))
    found = next_window("weekend", berlin, after=found.start, now=LONG_AGO)
    assert found == Window(datetime(2026, 10, 23, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC))


def test_a_day_without_midnight_begins_at_the_jump_of_the_clock() -> None:
    sao_paulo = time_zones.zone("America/Sao_Paulo")  # on Sunday 2018-11-04 from 0:00 to 1:00
    found = next_window("monthly", sao_paulo, after=datetime(2018, 11, 1, 3, tzinfo=UTC), now=LONG_AGO)
    assert found == Window(datetime(2018, 11, 1, 3, tzinfo=UTC), datetime(2018, 12, 1, 2, tzinfo=UTC))


def test_a_leap_february_ends_on_the_29th() -> None:
    after = datetime(2027, 12, 5, tzinfo=UTC)
    starts = [
        window.start.date()
        for window in series("monthly", time_zones.zone("UTC"), after, datetime(2028, 3, 2, tzinfo=UTC))
    ]
    assert starts == [date(2028, 1, 1), date(2028, 2, 1), date(2028, 3, 1)]


def test_a_race_that_ended_between_two_boundaries_is_followed_by_the_next_whole_window() -> None:
    wednesday = datetime(2026, 6, 3, 15, tzinfo=UTC)
    for kind, start in (("weekly", 8), ("weekend", 6)):
        assert next_window(kind, time_zones.zone("UTC"), after=wednesday, now=wednesday).start.day == start
    for late in (LARGEST_SHIFT + timedelta(microseconds=1), timedelta(days=6)):
        after = datetime(2026, 6, 8, tzinfo=UTC) + late
        assert next_window("weekly", time_zones.zone("UTC"), after=after, now=after).start == datetime(
            2026, 6, 15, tzinfo=UTC
        )


# How far the midnight of a zone has moved since the end of the last race was computed.
SHIFTS = [timedelta(hours=hours) for hours in (-3, -1, -0.5, 0, 0.5, 1, 3)]


@pytest.mark.parametrize("shift", SHIFTS, ids=str)
@pytest.mark.parametrize(
    ("kind", "day", "closing_day"),
    [("weekly", date(2026, 12, 7), date(2026, 12, 14)), ("monthly", date(2026, 12, 1), date(2027, 1, 1))],
)
def test_a_race_begins_where_the_last_one_ended_if_midnight_has_moved(
    kind: str, day: date, closing_day: date, shift: timedelta
) -> None:
    ended = datetime.combine(day, time(), UTC) - shift
    found = next_window(kind, time_zones.zone("UTC"), after=ended, now=ended - timedelta(days=7))
    assert found == Window(ended, datetime.combine(closing_day, time(), UTC))


@pytest.mark.parametrize("shift", SHIFTS, ids=str)
def test_a_weekend_is_whole_if_midnight_has_moved(shift: timedelta) -> None:
    ended = datetime(2026, 12, 7, tzinfo=UTC) - shift
    found = next_window("weekend", time_zones.zone("UTC"), after=ended, now=ended - timedelta(days=7))
    assert found == Window(datetime(2026, 12, 12, tzinfo=UTC), datetime(2026, 12, 14, tzinfo=UTC))


@pytest.mark.parametrize("kind", DAYS)
def test_a_series_loses_nothing_between_two_releases_of_the_time_zones(kind: str) -> None:
    """Vancouver keeps summer time from November 2026 on; before that release it followed Los Angeles."""
    old, new = time_zones.zone("America/Los_Angeles"), timezone(timedelta(hours=-7))
    windows = series(kind, old, datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    while windows[-1].end < datetime(2027, 4, 1, tzinfo=UTC):
        windows.append(next_window(kind, new, after=windows[-1].end, now=LONG_AGO))
    changed = [window for window in windows if window.start > datetime(2026, 11, 1, tzinfo=UTC)]
    assert len(changed) >= 4
    for window, following in pairwise(windows):
        if kind != "weekend":
            assert following.start == window.end
        assert following.start - window.start <= timedelta(
            days={"weekly": 7, "monthly": 31, "weekend": 7}[kind], hours=1
        )
    assert {window.end.astimezone(new).time() for window in windows[-3:]} == {time()}


def test_windows_that_are_over_are_left_out_and_a_running_one_is_not() -> None:
    end = datetime(2026, 6, 8, tzinfo=UTC)
    for now, start in ((end, 8), (datetime(2026, 6, 14, 23, tzinfo=UTC), 8), (datetime(2026, 6, 15, tzinfo=UTC), 15)):
        assert next_window("weekly", time_zones.zone("UTC"), after=end, now=now).start.day == start

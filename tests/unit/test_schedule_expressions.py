"""The expressions of EventBridge Scheduler, as the local platform reads them."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from local.schedules.expressions import ExpressionError, parse

START = datetime(2026, 11, 27, 19, 7, 30, tzinfo=UTC)  # a Friday
# The meanings are those of the examples and of the wildcards in
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html. Each has the first instants
# after the start: 27 is the Friday, 30 the Monday.
DOCUMENTED = {
    "0 10 * * ? *": ("10:00 each day", ["11-28 10:00", "11-29 10:00"]),
    "15 12 * * ? *": ("12:15 each day", ["11-28 12:15", "11-29 12:15"]),
    "0 18 ? * MON-FRI *": ("18:00 from Monday to Friday", ["11-30 18:00", "12-01 18:00"]),
    "0 8 1 * ? *": ("8:00 on the first day of each month", ["12-01 08:00", "01-01 08:00"]),
    "0/15 * * * ? *": ("every 15 minutes", ["11-27 19:15", "11-27 19:30"]),
    "0/10 * ? * MON-FRI *": ("every 10 minutes from Monday to Friday", ["11-27 19:10", "11-27 19:20"]),
    "0/5 8-17 ? * MON-FRI *": ("every 5 minutes from 8:00 to 17:55", ["11-30 08:00", "11-30 08:05"]),
    "0/30 20-2 ? * MON-FRI *": ("every 30 minutes from 20:00 to 2:30", ["11-27 20:00", "11-27 20:30"]),
    "0 23-1 ? * MON *": ("a range over midnight, on each of its own days", ["11-30 00:00", "11-30 01:00"]),
    "1/10 19 * * ? *": ("every tenth minute from the first", ["11-27 19:11", "11-27 19:21"]),
    "0 0 ? * 1 *": ("the first day of the week, a Sunday", ["11-29 00:00", "12-06 00:00"]),
    "0 0 ? * 2,7 *": ("the second and the seventh day", ["11-28 00:00", "11-30 00:00"]),
    "0 0 ? * 2/2 *": ("every other day of the week from Monday", ["11-30 00:00", "12-02 00:00"]),
    "0 0 ? * FRI-MON *": ("from Friday over Saturday to Monday", ["11-28 00:00", "11-29 00:00"]),
    "0 0 1-15 JAN,FEB,MAR ? *": ("the first half of three months", ["01-01 00:00", "01-02 00:00"]),
    "0/10 * * * ? *": ("as the affiliate feed is fetched", ["11-27 19:10", "11-27 19:20"]),
}


@pytest.mark.parametrize("fields", DOCUMENTED)
def test_a_cron_expression_is_due_as_eventbridge_documents_it(fields: str) -> None:
    timetable = parse(f"cron({fields})", START)
    first = timetable.following(START)
    assert [f"{at:%m-%d %H:%M}" for at in (first, timetable.following(first))] == DOCUMENTED[fields][1]
    assert first.utcoffset() == timedelta()
    assert timetable.latest(first) == first
    assert timetable.latest(timetable.following(first) - timedelta(microseconds=1)) == first
    assert timetable.latest(first - timedelta(microseconds=1)) <= START


def test_all_days_of_the_week_are_counted_from_sunday() -> None:
    for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1):
        by_number, by_name = (parse(f"cron(0 0 ? * {day} *)", START).following(START) for day in (number, name))
        assert by_number == by_name
        assert f"{by_number:%a}".upper() == name


@pytest.mark.parametrize(
    ("expression", "period"),
    [
        ("rate(1 minute)", timedelta(minutes=1)),
        ("rate(10 minutes)", timedelta(minutes=10)),
        ("rate(2 hours)", timedelta(hours=2)),
        ("rate(1 day)", timedelta(days=1)),
    ],
)
def test_a_rate_is_due_at_the_start_and_after_each_period(expression: str, period: timedelta) -> None:
    rate = parse(expression, START)
    assert rate.latest(START) == START
    assert rate.following(START) == START + period
    assert rate.latest(START + 3.5 * period) == START + 3 * period
    assert rate.following(START + 3 * period) == START + 4 * period


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("cron(0 0 L * ? *)", "L in day-of-month is not supported"),
        ("cron(0 0 L-3 * ? *)", "L in day-of-month is not supported"),
        ("cron(0 0 LW * ? *)", "L in day-of-month is not supported"),
        ("cron(15 10 ? * 6L *)", "L in day-of-week is not supported"),
        ("cron(0 0 3W * ? *)", "W in day-of-month is not supported"),
        ("cron(0 0 ? * FRI#2 *)", "# in day-of-week is not supported"),
        ("cron(0 0 1 * ? 2027)", "the year must be *, not 2027"),
        ("cron(0 0 * * *)", "six fields, not 5"),
        ("cron(0 0 * * * *)", "exactly one of day-of-month and day-of-week"),
        ("cron(0 0 ? * ? *)", "exactly one of day-of-month and day-of-week"),
        ("cron(60 0 * * ? *)", "60 is no value of minutes"),
        ("cron(0 0 ? * 0 *)", "0 is no value of day-of-week"),
        ("cron(0 0 ? * 8 *)", "8 is no value of day-of-week"),
        ("cron(0 0 ? * GOAT *)", "GOAT is no value of day-of-week"),
        ("cron(0/0 * * * ? *)", "0/0 of minutes has no step"),
        ("cron(0 0 1;2 * ? *)", "1;2 is no value of day-of-month"),
        ("cron(0 0 31 FEB ? *)", "no such day"),
        ("rate(0 minutes)", "only rate(…) and cron(…)"),
        ("at(2026-05-01T12:00:00)", "only rate(…) and cron(…)"),
    ],
)
def test_what_does_not_run_here_is_refused_with_the_reason(expression: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(reason)):
        parse(expression, START)

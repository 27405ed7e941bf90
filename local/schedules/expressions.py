"""When a schedule is due: the expressions `rate(…)` and `cron(…)` of EventBridge Scheduler, in UTC.

The cron expressions of EventBridge have a sixth field, the year, and count the days of the week from 1 = Sunday;
`croniter` reads a sixth field as seconds, and 1 as Monday. So the fields are translated to five before. Source:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from croniter import CroniterBadDateError, croniter

UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
DAYS = "SUN MON TUE WED THU FRI SAT"
# A value, a range or all values, perhaps with a step.
PART = re.compile(r"(?P<first>\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?|\*(?:/(?P<step_of_all>\d+))?")
# The last day, the nearest weekday, and the n-th day of the week in a month.
WILDCARD = re.compile(r"(?:[A-Z]{3}|\d+)?(?:(?P<l>L)(?:W|-\d+)?|(?P<w>W)|(?P<n>#)\d+)")
INSTANT = timedelta(microseconds=1)


class ExpressionError(ValueError):
    """A schedule of this expression does not run here; the text says why."""


class Timetable(Protocol):
    """The instants at which a schedule is due."""

    def latest(self, now: datetime) -> datetime:
        """Return the last of the instants until now, now included."""

    def following(self, now: datetime) -> datetime:
        """Return the first of the instants after now."""


@dataclass(frozen=True)
class Rate:
    """Due at the start and after each period, as EventBridge starts a rate when it creates the schedule."""

    period: timedelta
    start: datetime

    def latest(self, now: datetime) -> datetime:
        """Return the last of the instants until now."""
        return self.start + (now - self.start) // self.period * self.period

    def following(self, now: datetime) -> datetime:
        """Return the first of the instants after now."""
        return self.latest(now) + self.period


@dataclass(frozen=True)
class Cron:
    """Due at the instants of a cron expression with five fields."""

    fields: str

    def latest(self, now: datetime) -> datetime:
        """Return the last of the instants until now."""
        return croniter(self.fields, now + INSTANT).get_prev(datetime)

    def following(self, now: datetime) -> datetime:
        """Return the first of the instants after now."""
        return croniter(self.fields, now).get_next(datetime)


def parse(expression: str, start: datetime) -> Timetable:
    """Return the instants of an expression.

    Parameters
    ----------
    expression: as in template.yaml.
    start: when the schedule is created, aware; a rate counts from then.

    Raises
    ------
    ExpressionError: it is invalid, never due, or of a kind that does not run here.

    """
    if match := re.fullmatch(r"rate\(([1-9]\d*) (minute|hour|day)s?\)", expression):
        return Rate(int(match[1]) * UNITS[match[2]], start)
    if match := re.fullmatch(r"cron\((.*)\)", expression):
        cron = Cron(translate(match[1]))
        try:
            cron.following(start)
        except CroniterBadDateError:
            raise ExpressionError("no such day ever comes") from None
        return cron
    raise ExpressionError("only rate(…) and cron(…) run here")


def translate(fields: str) -> str:
    """Return the five fields of cron that mean what six fields of EventBridge mean; each value is listed.

    Raises
    ------
    ExpressionError: a field is invalid, or uses L, W, # or a year.

    """
    given = fields.upper().split()
    if len(given) != 6:  # noqa: PLR2004
        raise ExpressionError(f"a cron expression has six fields, not {len(given)}")
    minutes, hours, day, month, weekday, year = given
    if year != "*":
        raise ExpressionError(f"the year must be *, not {year}")
    if (day == "?") == (weekday == "?"):
        raise ExpressionError("exactly one of day-of-month and day-of-week must be ?")
    return " ".join(
        (
            _list_values("minutes", minutes, 0, 59),
            _list_values("hours", hours, 0, 23),
            "*" if day == "?" else _list_values("day-of-month", day, 1, 31),
            _list_values("month", month, 1, 12, MONTHS),
            "*" if weekday == "?" else _list_values("day-of-week", weekday, 1, 7, DAYS, shift=-1),
        )
    )


def _list_values(name: str, field: str, low: int, high: int, names: str = "", *, shift: int = 0) -> str:
    """Return the values of a field, joined by commas; * if it has all.

    Parameters
    ----------
    low, high: the smallest and the largest value of the field.
    names: of the values from `low` on, separated by spaces.
    shift: is added to each value.

    """
    values = {value for part in field.split(",") for value in _values(name, part, low, high, names.split())}
    if len(values) == high - low + 1:
        return "*"
    return ",".join(str(value + shift) for value in sorted(values))


def _values(name: str, part: str, low: int, high: int, names: list[str]) -> Iterator[int]:
    """Yield the values of a part between commas. A range whose end is before its start goes on from the lowest."""
    if special := WILDCARD.fullmatch(part):
        raise ExpressionError(f"{special['l'] or special['w'] or special['n']} in {name} is not supported here")
    match = PART.fullmatch(part)
    if match is None:
        raise ExpressionError(f"{part} is no value of {name}")
    first, last, step = match["first"], match["last"], match["step"] or match["step_of_all"]
    start = _number(name, first, low, high, names) if first else low
    end = _number(name, last, low, high, names) if last else start if first and not step else high
    count = (end - start) % (high - low + 1) + 1
    if step and not int(step):
        raise ExpressionError(f"{part} of {name} has no step")
    for value in range(start, start + count, int(step or 1)):
        yield low + (value - low) % (high - low + 1)


def _number(name: str, text: str, low: int, high: int, names: list[str]) -> int:
    value = low + names.index(text) if text in names else int(text) if text.isdecimal() else high + 1
    if not low <= value <= high:
        raise ExpressionError(f"{text} is no value of {name}")
    return value

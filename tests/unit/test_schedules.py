"""The template's schedules, as the local platform runs them."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.pool import FunctionError
from local.schedules import Schedules, build_payload, parse_rate
from local.template import Schedule

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Pool:
    """Notes what is invoked; the first time it fails."""

    def __init__(self) -> None:
        self.invoked: list[tuple[str, Any]] = []

    def invoke(self, name: str, event: Any) -> None:
        self.invoked.append((name, event))
        if len(self.invoked) == 1:
            raise FunctionError(name, {"errorType": "Runtime.ExitError"})


@pytest.mark.parametrize(
    ("expression", "period"),
    [
        ("rate(1 minute)", timedelta(minutes=1)),
        ("rate(10 minutes)", timedelta(minutes=10)),
        ("rate(2 hours)", timedelta(hours=2)),
        ("rate(1 day)", timedelta(days=1)),
        ("cron(0 3 * * ? *)", None),
        ("at(2026-05-01T12:00:00)", None),
    ],
)
def test_rates_are_run_and_the_rest_is_left_out(expression: str, period: timedelta | None) -> None:
    assert parse_rate(expression) == period


def test_the_payload_has_the_time_that_the_run_is_for() -> None:
    schedule = Schedule(
        "Every", "WorkFunction", "rate(1 minute)", '{"scheduled_time": "<aws.scheduler.scheduled-time>"}'
    )
    assert build_payload(schedule, NOON) == {"scheduled_time": "2026-05-01T12:00:00Z"}


def test_a_failed_run_does_not_end_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.schedules.UNITS", {"minute": timedelta(milliseconds=10)})
    pool = Pool()
    schedules = Schedules(
        [
            Schedule("Often", "WorkFunction", "rate(1 minute)", "{}"),
            Schedule("Never", "Other", "cron(0 3 * * ? *)", "{}"),
        ],
        pool,  # type: ignore[arg-type]
    )
    assert [schedule.name for schedule in schedules.without_rate] == ["Never"]
    schedules.start()
    end = time.monotonic() + 5
    while len(pool.invoked) < 3 and time.monotonic() < end:
        time.sleep(0.005)
    schedules.stop()
    assert pool.invoked[:3] == [("WorkFunction", {})] * 3

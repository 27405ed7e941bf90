"""The template's schedules, as the local platform runs them."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.pool import FunctionError
from local.schedules import Schedules, build_payload, parse_rate
from local.template import Schedule

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def alarm_line(function: str, name: str) -> str:
    entry = {"level": "ERROR", "message": "alarm", "function": function, "alarm": name, "outbox_id": 7}
    return json.dumps(entry) + "\n"


class Pool:
    """Records what is invoked; the first time it fails. Each run raises an alarm."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "functions.log"
        self.log.write_text(alarm_line("WorkFunction", "of_before"))
        self.invoked: list[tuple[str, Any]] = []

    def invoke(self, name: str, event: Any) -> None:
        self.invoked.append((name, event))
        with self.log.open("a") as log:
            log.write("not JSON\n" + alarm_line("Other", "of_another") + alarm_line(name, "outbox_given_up"))
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


def test_a_failed_run_does_not_end_the_schedule_and_alarms_are_printed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("local.schedules.UNITS", {"minute": timedelta(milliseconds=10)})
    pool = Pool(tmp_path)
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
    printed = capsys.readouterr().err
    assert '  ALARM outbox_given_up {"function": "WorkFunction", "outbox_id": 7}\n' in printed
    assert printed.count("ALARM") in {len(pool.invoked) - 1, len(pool.invoked)}, "each run's own, once"

"""The template's schedules, as the local platform runs them by its clock."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from local.clock import BackwardsError, MovableClock
from local.pool import FunctionError
from local.schedules import runner
from local.schedules.runner import Run, Schedules, build_payload
from local.template import Schedule

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
INPUT = '{"scheduled_time": "<aws.scheduler.scheduled-time>"}'
MINUTE, DAY, MONTH = timedelta(minutes=1), timedelta(days=1), timedelta(days=30)


def alarm_line(function: str, name: str) -> str:
    entry = {"level": "ERROR", "message": "alarm", "function": function, "alarm": name, "outbox_id": 7}
    return json.dumps(entry) + "\n"


class Pool:
    """Records what is invoked, and for which instant."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "functions.log"
        self.log.write_text(alarm_line("WorkFunction", "of_before"))
        self.invoked: list[tuple[str, str]] = []
        self.blocked: dict[str, threading.Event] = {}
        self.fails = 0

    def invoke(self, name: str, event: Any) -> dict[str, int]:
        self.invoked.append((name, event["scheduled_time"]))
        with self.log.open("a") as log:
            log.write("not JSON\n" + alarm_line("Other", "of_another") + alarm_line(name, "outbox_given_up"))
        if name in self.blocked:
            self.blocked[name].wait(30)
        if self.fails:
            self.fails -= 1
            raise FunctionError(name, {"errorType": "Runtime.ExitError"})
        return {"changed": len(self.invoked), "created": 0}

    def wait_for(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < end, self.invoked
            time.sleep(0.002)


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return Pool(tmp_path)


@pytest.fixture
def build(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Schedules]]:
    """Builds schedules, a minute's and a day's unless others are given, and stops them after the test."""
    monkeypatch.setattr(runner, "SHORTEST_INTERVAL", 0.05)
    built: list[Schedules] = []

    def schedules(clock: MovableClock, **expressions: str) -> Schedules:
        expressions = expressions or {"Minute": "rate(1 minute)", "Night": "cron(30 3 * * ? *)"}
        given = [Schedule(name, name, expression, INPUT) for name, expression in expressions.items()]
        built.append(Schedules(given, pool, clock))  # type: ignore[arg-type]
        return built[-1]

    yield schedules
    for schedules_of_test in built:
        schedules_of_test.stop()


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_payload_has_the_time_that_the_run_is_for() -> None:
    assert build_payload(Schedule("Every", "Work", "rate(1 minute)", INPUT), NOON) == {
        "scheduled_time": "2026-05-01T12:00:00Z"
    }


def test_each_schedule_runs_at_the_start_for_the_last_instant_at_which_it_was_due(
    pool: Pool, build: Callable[..., Schedules]
) -> None:
    clock = MovableClock()
    build(clock).start()
    pool.wait_for(lambda: len(pool.invoked) == 2)
    ran = {name: instant(at) for name, at in pool.invoked}
    assert timedelta() <= clock.now() - ran["Minute"] < MINUTE
    assert (ran["Night"].hour, ran["Night"].minute) == (3, 30)
    assert timedelta() <= clock.now() - ran["Night"] < DAY


def test_what_does_not_run_here_has_a_reason(build: Callable[..., Schedules]) -> None:
    schedules = build(MovableClock(), Never="at(2026-05-01T12:00:00)", Last="cron(0 0 L * ? *)")
    assert {schedule.name: reason for schedule, reason in schedules.not_run} == {
        "Never": "only rate(…) and cron(…) run here",
        "Last": "L in day-of-month is not supported here",
    }


def test_a_move_runs_each_schedule_that_was_due_once_and_the_oldest_first(
    pool: Pool, build: Callable[..., Schedules]
) -> None:
    clock = MovableClock()
    schedules = build(clock, Minute="rate(1 minute)", Night="cron(30 3 * * ? *)", Month="cron(0 4 1 * ? *)")
    schedules.start()
    pool.wait_for(lambda: len(pool.invoked) == 3)
    pool.invoked.clear()
    to = (clock.now() + 2 * MONTH).replace(day=2, hour=4, minute=10)
    runs = list(schedules.move(to))
    first = to.replace(day=1, hour=4, minute=0, second=0, microsecond=0)
    assert runs[:2] == [
        Run("Month", first, "changed 1"),
        Run("Night", to.replace(hour=3, minute=30, second=0, microsecond=0), "changed 2"),
    ]
    assert [run.function for run in runs] == ["Month", "Night", "Minute"]
    assert timedelta() <= to - runs[2].due < MINUTE
    assert pool.invoked == [(run.function, run.due.strftime("%Y-%m-%dT%H:%M:%SZ")) for run in runs]
    assert timedelta() <= clock.now() - to < MINUTE
    time.sleep(0.2)
    assert len(pool.invoked) == 3, "nothing runs again for the same instants"


def test_a_move_of_an_hour_leaves_out_what_was_not_due(pool: Pool, build: Callable[..., Schedules]) -> None:
    clock = MovableClock()
    schedules = build(clock, Minute="rate(1 minute)", Day="rate(1 day)")
    schedules.start()
    pool.wait_for(lambda: len(pool.invoked) == 2)
    assert [run.function for run in schedules.move(clock.now() + 60 * MINUTE)] == ["Minute"]
    assert [run.function for run in schedules.move(clock.now() + DAY)] == ["Day", "Minute"]


def test_a_move_back_is_refused_and_changes_nothing(pool: Pool, build: Callable[..., Schedules]) -> None:
    clock = MovableClock()
    schedules = build(clock)
    with pytest.raises(BackwardsError, match="never goes back, so not to 2020-01-01T00:00:00Z"):
        list(schedules.move(instant("2020-01-01T00:00:00Z")))
    assert abs(clock.now() - datetime.now(UTC)) < MINUTE
    assert pool.invoked == []


def test_a_schedule_whose_run_goes_on_for_long_runs_after_it(
    pool: Pool, build: Callable[..., Schedules], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "PATIENCE", 0.1)
    clock, pool.blocked["Slow"] = MovableClock(), threading.Event()
    schedules = build(clock, Slow="rate(1 minute)", Quick="rate(1 minute)")
    schedules.start()
    pool.wait_for(lambda: len(pool.invoked) == 2)
    outcomes = {run.function: run.outcome for run in schedules.move(clock.now() + DAY)}
    assert outcomes == {"Slow": "runs when its present run has ended", "Quick": "changed 3"}
    started = time.monotonic()
    list(schedules.move(clock.now() + DAY))
    assert time.monotonic() - started < 5, "what was not waited for before is not waited for again"
    assert [name for name, _ in pool.invoked].count("Slow") == 1, "two runs of one schedule never overlap"
    pool.blocked.pop("Slow").set()
    pool.wait_for(lambda: [name for name, _ in pool.invoked].count("Slow") == 2)
    slow = [instant(at) for name, at in pool.invoked if name == "Slow"]
    assert 2 * DAY - MINUTE < slow[1] - slow[0] < 2 * DAY + MINUTE, "the two moves are one run, for the last instant"


def test_at_600_times_the_speed_instants_that_pass_between_two_starts_are_one_run(
    pool: Pool, build: Callable[..., Schedules], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute passes in 0.1 s. Here a schedule starts at most every 0.25 s, so each run is for two minutes or more."""
    monkeypatch.setattr(runner, "SHORTEST_INTERVAL", 0.25)
    started = time.monotonic()
    build(MovableClock(600), Minute="rate(1 minute)", Hour="cron(0 * * * ? *)").start()
    pool.wait_for(lambda: len(pool.invoked) >= 8)
    minutes = [instant(at) for name, at in pool.invoked if name == "Minute"]
    assert len(minutes) <= 1 + (time.monotonic() - started) / 0.25
    steps = {(later - earlier) / MINUTE for earlier, later in pairwise(minutes)}
    assert all(step == int(step) >= 2 for step in steps), "each is for a later minute, and for a whole one"


def test_a_failed_run_does_not_end_the_schedule_and_alarms_are_printed(
    pool: Pool, build: Callable[..., Schedules], capsys: pytest.CaptureFixture[str]
) -> None:
    pool.fails = 1
    schedules = build(MovableClock(600), Minute="rate(1 minute)")
    schedules.start()
    pool.wait_for(lambda: len(pool.invoked) >= 3)
    schedules.stop()
    printed = capsys.readouterr().err
    assert "failed: Minute: Runtime.ExitError" in printed
    assert '  ALARM outbox_given_up {"function": "Minute", "outbox_id": 7}\n' in printed
    assert printed.count("ALARM") in {len(pool.invoked) - 1, len(pool.invoked)}, "each run's own, once"

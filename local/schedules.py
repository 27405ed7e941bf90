"""The template's schedules, run here: each in a thread of its own, through the same workers as requests."""

import json
import re
import threading
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from local.console import print_failure
from local.pool import FunctionError, Pool
from local.template import Schedule

UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


class Schedules:
    """Invokes functions as EventBridge Scheduler does, the first time at once.

    Two runs of one schedule never overlap here: a run that is due while the last one still works is left out.
    """

    def __init__(self, schedules: Iterable[Schedule], pool: Pool) -> None:
        """Tell the schedules that can be run here, by their rate, from the others."""
        self._pool, self._ended = pool, threading.Event()
        self.running: list[tuple[Schedule, timedelta]] = []
        self.left_out: list[Schedule] = []
        for schedule in schedules:
            period = period_of(schedule.expression)
            if period is None:
                self.left_out.append(schedule)
            else:
                self.running.append((schedule, period))

    def start(self) -> None:
        """Begin; the threads end with the process."""
        for schedule, period in self.running:
            threading.Thread(target=self._run, args=(schedule, period), name=schedule.name, daemon=True).start()

    def stop(self) -> None:
        """Start no further run. What is running ends with the pool."""
        self._ended.set()

    def _run(self, schedule: Schedule, period: timedelta) -> None:
        due = datetime.now(UTC)
        while not self._ended.is_set():
            try:
                self._pool.invoke(schedule.function, payload(schedule, due))
            except FunctionError as error:
                if not self._ended.is_set():
                    print_failure(error)
            now = datetime.now(UTC)
            due += period * max(1, -((due - now) // period))
            self._ended.wait((due - now).total_seconds())


def period_of(expression: str) -> timedelta | None:
    """Return how often `rate(5 minutes)` is; None for `cron(…)` and `at(…)`, which wait too long to be of use here."""
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    return int(match[1]) * UNITS[match[2]] if match else None


def payload(schedule: Schedule, due: datetime) -> object:
    """Return the schedule's `Input` with the scheduler's own words replaced."""
    words = {
        "<aws.scheduler.scheduled-time>": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "<aws.scheduler.execution-id>": str(uuid.uuid4()),
        "<aws.scheduler.attempt-number>": "1",
        "<aws.scheduler.schedule-arn>": f"arn:aws:scheduler:us-east-1:123456789012:schedule/default/{schedule.name}",
    }
    text = schedule.input
    for word, value in words.items():
        text = text.replace(word, value)
    return json.loads(text)

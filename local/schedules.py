"""The template's schedules on this machine. Each has its own thread, and the same workers as requests."""

import json
import re
import threading
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from local.console import print_alarms, print_failure
from local.pool import FunctionError, Pool
from local.template import Schedule

UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


class Schedules:
    """Invokes functions at their rate, as EventBridge Scheduler does; the first time at once.

    Two runs of one schedule never overlap here: a run is skipped if the previous one has not ended when it is due.
    """

    def __init__(self, schedules: Iterable[Schedule], pool: Pool) -> None:
        """Separate the schedules with a rate, which run here, from the others, which do not."""
        self._pool, self._ended = pool, threading.Event()
        self.running: list[tuple[Schedule, timedelta]] = []
        self.without_rate: list[Schedule] = []
        for schedule in schedules:
            period = parse_rate(schedule.expression)
            if period is None:
                self.without_rate.append(schedule)
            else:
                self.running.append((schedule, period))

    def start(self) -> None:
        """Start the threads. They end with the process."""
        for schedule, period in self.running:
            threading.Thread(target=self._run, args=(schedule, period), name=schedule.name, daemon=True).start()

    def stop(self) -> None:
        """Start no further run. Runs in progress end when the pool stops."""
        self._ended.set()

    def _run(self, schedule: Schedule, period: timedelta) -> None:
        due = datetime.now(UTC)
        while not self._ended.is_set():
            offset = self._pool.log.stat().st_size
            try:
                self._pool.invoke(schedule.function, build_payload(schedule, due))
            except FunctionError as error:
                if not self._ended.is_set():
                    print_failure(error)
            print_alarms(self._pool.log, offset, schedule.function)
            now = datetime.now(UTC)
            due += period * max(1, -((due - now) // period))
            self._ended.wait((due - now).total_seconds())


def parse_rate(expression: str) -> timedelta | None:
    """Return the period of `rate(5 minutes)`; None for `cron(…)` and `at(…)`, which do not run here."""
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    return int(match[1]) * UNITS[match[2]] if match else None


def build_payload(schedule: Schedule, due: datetime) -> object:
    """Return the schedule's `Input` with the context attributes of EventBridge Scheduler replaced."""
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

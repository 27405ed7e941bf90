"""Runs the template's schedules by the platform's clock, each in its own thread, on the same workers as requests."""

import json
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from local.clock import MovableClock, written
from local.console import print_alarms, print_failure
from local.pool import FunctionError, Pool
from local.schedules.expressions import ExpressionError, Timetable, parse
from local.template import Schedule

SHORTEST_INTERVAL = 1.0
"""Real seconds between the starts of two runs of a schedule, however fast the clock runs."""
LONGEST_PAUSE = 60.0
"""Real seconds after which a thread looks at the clock again: a machine that slept has lost the time meanwhile."""
PATIENCE = 10.0
"""Real seconds for which a move of the clock waits for a run. send_notifications looks for mail for 50 s."""


@dataclass(frozen=True)
class Run:
    """A run that was due because the clock was moved."""

    function: str
    due: datetime
    outcome: str


@dataclass
class _Entry:
    schedule: Schedule
    timetable: Timetable
    due: datetime
    """The first instant for which no run has started."""
    earliest_start: float = 0.0
    """By the real clock, in seconds of `time.monotonic`."""
    is_running: bool = False
    turn: datetime | None = None
    """The clock was moved to this instant, and it is this schedule's turn to run."""
    is_late: bool = False
    """A move of the clock did not wait for the end of its run."""
    outcome: str = ""


class Schedules:
    """Invokes functions when they are due by the clock, as EventBridge Scheduler does.

    What was due before the start runs once at the start: a rate begins then, and a cron expression was missed. Runs of
    one schedule never overlap, and start at most once in SHORTEST_INTERVAL: instants that pass meanwhile are one run,
    for the last of them.
    """

    def __init__(self, schedules: Iterable[Schedule], pool: Pool, clock: MovableClock) -> None:
        """Read the expressions. Schedules whose expression does not run here are in `not_run`, with the reason."""
        self._pool, self._clock = pool, clock
        self._changed = threading.Condition()
        self._moving = threading.Lock()
        self._is_held = self._has_ended = False
        self._entries: list[_Entry] = []
        self.not_run: list[tuple[Schedule, str]] = []
        now = clock.now()
        for schedule in schedules:
            try:
                timetable = parse(schedule.expression, now)
            except ExpressionError as error:
                self.not_run.append((schedule, str(error)))
            else:
                self._entries.append(_Entry(schedule, timetable, timetable.latest(now)))

    def start(self) -> None:
        """Start the threads. They end with the process."""
        for entry in self._entries:
            threading.Thread(target=self._follow, args=(entry,), name=entry.schedule.name, daemon=True).start()

    def stop(self) -> None:
        """Start no further run. Runs in progress end when the pool stops."""
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def move(self, to: datetime) -> Iterator[Run]:
        """Move the clock forward, and run each schedule that was due meanwhile: once, one by one, the oldest first.

        Each runs for the last instant at which it was due. One that takes longer than PATIENCE is not waited for.

        Raises
        ------
        BackwardsError: the clock shows a later instant already.

        """
        with self._moving:
            with self._changed:
                self._clock.move(to)
                self._is_held = True
            try:
                due = [(entry.timetable.latest(to), entry) for entry in self._entries if entry.due <= to]
                for instant, entry in sorted(due, key=lambda pair: pair[0]):
                    yield Run(entry.schedule.function, instant, self._run_next(entry, to))
            finally:
                with self._changed:
                    self._is_held = False
                    self._changed.notify_all()

    def _run_next(self, entry: _Entry, to: datetime) -> str:
        """Let a schedule run while the others are held, and return how the run ended."""
        with self._changed:
            entry.turn = to
            self._changed.notify_all()
            patience = 0.0 if entry.is_late else PATIENCE
            has_run = self._changed.wait_for(lambda: entry.due > to and not entry.is_running, patience)
            entry.turn, entry.is_late = None, not has_run
            if has_run:
                return entry.outcome
            return "is running" if entry.due > to else "runs when its present run has ended"

    def _follow(self, entry: _Entry) -> None:
        """Run a schedule whenever it is due."""
        while True:
            with self._changed:
                while not self._has_ended and (seconds := self._seconds_until(entry)):
                    self._changed.wait(seconds)
                if self._has_ended:
                    return
                now = entry.turn or self._clock.now()
                due = entry.timetable.latest(now)
                entry.due = entry.timetable.following(now)
                entry.is_running, entry.earliest_start = True, time.monotonic() + SHORTEST_INTERVAL
            outcome = self._run(entry.schedule, due)
            self._clock.note()
            with self._changed:
                entry.is_running, entry.is_late, entry.outcome = False, False, outcome
                self._changed.notify_all()

    def _seconds_until(self, entry: _Entry) -> float:
        """Return the real seconds until a schedule may run; 0 if it may now."""
        if self._is_held:
            return 0.0 if entry.turn and entry.due <= entry.turn else LONGEST_PAUSE
        until_due = (entry.due - self._clock.now()).total_seconds() / self._clock.present.speed
        return min(max(0.0, until_due, entry.earliest_start - time.monotonic()), LONGEST_PAUSE)

    def _run(self, schedule: Schedule, due: datetime) -> str:
        offset = self._pool.log.stat().st_size
        try:
            answer = self._pool.invoke(schedule.function, build_payload(schedule, due))
        except FunctionError as error:
            if not self._has_ended:
                print_failure(error)
            return "failed"
        finally:
            print_alarms(self._pool.log, offset, schedule.function)
        return _summarize(answer)


def build_payload(schedule: Schedule, due: datetime) -> object:
    """Return the schedule's `Input` with the context attributes of EventBridge Scheduler replaced."""
    words = {
        "<aws.scheduler.scheduled-time>": written(due),
        "<aws.scheduler.execution-id>": str(uuid.uuid4()),
        "<aws.scheduler.attempt-number>": "1",
        "<aws.scheduler.schedule-arn>": f"arn:aws:scheduler:us-east-1:123456789012:schedule/default/{schedule.name}",
    }
    text = schedule.input
    for word, value in words.items():
        text = text.replace(word, value)
    return json.loads(text)


def _summarize(answer: object) -> str:
    """Return what a function counted, without the zeros."""
    counts = answer if isinstance(answer, dict) else {}
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "nothing to do"

"""The clock of the platform on this machine: it may run faster than the real one, and be moved forward, never back.

Functions read it as `goatedvips.clock.utc_now`. Waits and time-outs follow the real time.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.sharedctypes import RawValue
from pathlib import Path


class BackwardsError(ValueError):
    """The clock shall be moved to an instant that has passed; the text says so."""


@dataclass(frozen=True)
class Clock:
    """What a clock shows, as a function of the real time.

    Parameters
    ----------
    origin: what it showed at the real instant `started`; both are aware, in UTC.
    speed: how many seconds pass on it in a real second.

    """

    origin: datetime
    started: datetime
    speed: int = 1

    def now(self) -> datetime:
        """Return the instant that the clock shows, aware, in UTC."""
        return self.origin + (datetime.now(UTC) - self.started) * self.speed


class MovableClock:
    """The clock of a running platform. Threads may share it.

    Parameters
    ----------
    speed: how many seconds pass on it in a real second.
    file: notes what the clock shows, so that it never goes back when the platform is started again. None: not noted.

    """

    def __init__(self, speed: int = 1, file: Path | None = None) -> None:
        real = datetime.now(UTC)
        self._file, self._lock = file, threading.Lock()
        self.present = Clock(max(real, _noted(file) or real), real, speed)
        """The clock as it can be sent to another process."""
        self.moved = RawValue("q", 0)
        """By how many microseconds it was moved, in memory that other processes share: a call that runs while it is
        moved reads it too. It is written at once, so it has no lock, with which a killed process could end."""

    def now(self) -> datetime:
        """Return the instant that the clock shows, aware, in UTC."""
        return self.present.now()

    def move(self, to: datetime) -> None:
        """Move the clock forward; it runs on at its speed.

        Raises
        ------
        BackwardsError: it shows a later instant already.

        """
        with self._lock:
            now = self.now()
            if to < now:
                raise BackwardsError(f"The clock shows {written(now)} and never goes back, so not to {written(to)}.")
            self.present = Clock(to, datetime.now(UTC), self.present.speed)
            self.moved.value += (to - now) // timedelta(microseconds=1)
        self.note()

    def sent(self) -> tuple[Clock, int]:
        """Return the clock as it can be sent to another process, and the value of `moved` that goes with it."""
        with self._lock:
            return self.present, self.moved.value

    @contextmanager
    def showing(self, instant: datetime) -> Iterator[None]:
        """Show an instant of the past until the block ends; only for what is done before the platform runs."""
        present = self.present
        self.present = Clock(instant, datetime.now(UTC))
        try:
            yield
        finally:
            self.present = present

    def note(self) -> None:
        """Write down what the clock shows, if that may be ahead of the real time."""
        with self._lock:
            if self._file and (self.present.speed > 1 or self.present.origin > self.present.started):
                self._file.write_text(json.dumps({"shows": self.now().isoformat()}))


def written(instant: datetime) -> str:
    """Return an instant as RFC 3339 has it, to the second."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _noted(file: Path | None) -> datetime | None:
    try:
        return datetime.fromisoformat(json.loads(file.read_text())["shows"]) if file else None
    except (OSError, ValueError, LookupError, TypeError):
        return None

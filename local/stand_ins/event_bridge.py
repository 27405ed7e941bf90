"""A stand-in for EventBridge: it invokes the functions of the template whose rule matches an event."""

import threading
from collections import deque
from collections.abc import Iterable
from typing import Any

from local.console import print_alarms, print_failure
from local.pool import FunctionError, Pool
from local.template import Rule

TRIES = 3
"""Lambda invokes a function twice more where it fails on an event."""


class EventBridge:
    """Takes events, and invokes functions one after the other, in a thread of its own."""

    def __init__(self, rules: Iterable[Rule], pool: Pool) -> None:
        """Start no thread yet."""
        self._rules, self._pool = list(rules), pool
        self._events: deque[dict[str, Any]] = deque()
        self._changed = threading.Condition()
        self._is_working = self._has_ended = False

    def start(self) -> None:
        """Start the thread. It ends with the process."""
        threading.Thread(target=self._run, name="EventBridge", daemon=True).start()

    def stop(self) -> None:
        """Invoke no function any more. Runs in progress end when the pool stops."""
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def send(self, event: dict[str, Any]) -> None:
        """Take an event, and return at once."""
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until every event has been handled; return whether it was so within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._events and not self._is_working, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._is_working = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._events or self._has_ended)
                if self._has_ended:
                    return
                event, self._is_working = self._events.popleft(), True
            for rule in self._rules:
                if matches(rule.pattern, event):
                    self._invoke(rule.function, event)

    def _invoke(self, function: str, event: dict[str, Any]) -> None:
        for _ in range(TRIES):
            offset = self._pool.log.stat().st_size
            try:
                self._pool.invoke(function, event)
            except FunctionError as error:
                if self._has_ended:
                    return
                print_failure(error)
            else:
                return
            finally:
                print_alarms(self._pool.log, offset, function)


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """Return whether an event matches a pattern of literals and prefixes; other comparisons are refused by name.

    The language: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html

    Raises
    ------
    ValueError
    """
    return all(
        matches(wanted, event.get(name) or {})
        if isinstance(wanted, dict)
        else any(_is_match(choice, event.get(name)) for choice in wanted)
        for name, wanted in pattern.items()
    )


def _is_match(choice: object, value: object) -> bool:
    if not isinstance(choice, dict):
        return choice == value
    if set(choice) != {"prefix"}:
        raise ValueError(f"only prefixes are compared here, not {', '.join(choice)}")
    return str(value or "").startswith(choice["prefix"])

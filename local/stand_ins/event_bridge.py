"""A stand-in for EventBridge: it invokes the functions of the template whose rule matches an event."""

import queue
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from local.console import print_alarms, print_failure
from local.pool import FunctionError, Pool

TRIES = 3
"""Lambda invokes a function twice more where it fails on an event."""


@dataclass(frozen=True)
class Rule:
    """A rule of the template, and the logical id of the function that it invokes."""

    function: str
    pattern: dict[str, Any]


class EventBridge:
    """Takes events, and invokes functions one after the other, in a thread of its own."""

    def __init__(self, rules: Iterable[Rule], pool: Pool) -> None:
        """Start no thread yet."""
        self._rules, self._pool = list(rules), pool
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

    def start(self) -> None:
        """Start the thread. It ends with the process."""
        threading.Thread(target=self._run, name="EventBridge", daemon=True).start()

    def stop(self) -> None:
        """Invoke no function any more. Runs in progress end when the pool stops."""
        self._events.put(None)

    def send(self, event: dict[str, Any]) -> None:
        """Take an event, and return at once."""
        self._events.put(event)

    def _run(self) -> None:
        while (event := self._events.get()) is not None:
            for rule in self._rules:
                if matches(rule.pattern, event):
                    self._invoke(rule.function, event)

    def _invoke(self, function: str, event: dict[str, Any]) -> None:
        for _ in range(TRIES):
            offset = self._pool.log.stat().st_size
            try:
                self._pool.invoke(function, event)
            except FunctionError as error:
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

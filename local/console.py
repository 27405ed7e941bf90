"""What `make run` prints while it runs: a line for each request, alarms, and whatever explains a failure."""

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from local.pool import FunctionError

UNIMPORTANT = {"level", "location", "message", "timestamp", "service", "exception", "exception_name", "stack_trace"}


def print_request(method: str, target: str, status: int, milliseconds: float) -> None:
    """Print a line for a request.

    Parameters
    ----------
    target: path and query as they were sent; unprintable characters are replaced, since they could steer the terminal.

    """
    shown = "".join(character if character.isprintable() else "?" for character in target)
    print(f"{datetime.now().astimezone():%H:%M:%S}  {status}  {method} {shown}  {milliseconds:.0f} ms", flush=True)


def print_failure(error: Exception) -> None:
    """Print an error of a function with its stack trace."""
    print(f"  failed: {error or type(error).__name__}", file=sys.stderr)
    trace = error.report.get("stackTrace", ()) if isinstance(error, FunctionError) else ()
    print("".join(trace), end="", file=sys.stderr, flush=True)


def print_log(log: Path, offset: int, request_id: str) -> None:
    """Print what functions logged about a request.

    Parameters
    ----------
    log: the file that takes the output of all functions.
    offset: its size in bytes when the request came.
    request_id: as the gateway gave it to the function.

    """
    for entry in _entries(log, offset):
        if entry.get("request_id") == request_id:
            details = {name: value for name, value in entry.items() if name not in UNIMPORTANT}
            print(f"  {entry.get('level')}: {entry.get('message')} {json.dumps(details)}", file=sys.stderr)
            print(entry.get("exception", ""), file=sys.stderr, flush=True)


def print_alarms(log: Path, offset: int, function: str) -> None:
    """Print the alarms that a function raised, a line each.

    Parameters
    ----------
    log: the file that takes the output of all functions.
    offset: its size in bytes when the function was invoked.

    """
    for entry in _entries(log, offset):
        if "alarm" in entry and entry.get("function") == function:
            figures = {name: value for name, value in entry.items() if name not in {*UNIMPORTANT, "alarm"}}
            print(f"  ALARM {entry['alarm']} {json.dumps(figures)}", file=sys.stderr, flush=True)


def _entries(log: Path, offset: int) -> Iterator[dict[str, Any]]:
    """Yield the fields of what functions logged behind an offset."""
    with log.open("rb") as file:
        file.seek(offset)
        lines = file.read().decode(errors="replace").splitlines()
    yield from map(_entry, lines)


def _entry(line: str) -> dict[str, Any]:
    """Return the fields of a line that a function logged; none for what is no log line."""
    try:
        fields = json.loads(line)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}

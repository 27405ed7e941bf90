"""Whether a process grows with the events that it answers (`make bench WHAT=memory`).

The resident set of a process after 20,000 events, divided by that after 1,000, must be at most 1.03. ARGS="get_me"
measures only this handler; EVENTS=… takes another number of events. The status is 1 if a limit is missed.
"""

import os
import sys
import tempfile
from pathlib import Path

from benchmarks.report import Line, print_heading, show_all
from benchmarks.subjects import Subject, prepared

HANDLERS = ("authorize", "get_me", "spin_wheel", "claim_code")
FIRST_EVENTS, EVENTS = 1_000, int(os.environ.get("EVENTS", "20000"))
MAX_GROWTH = 1.03


def main(chosen: list[str]) -> int:
    """Measure, print a line for each handler, and return the process's status."""
    handlers = chosen or HANDLERS
    with tempfile.TemporaryDirectory() as folder, prepared(Path(folder), len(handlers) * EVENTS) as bench:
        print_heading()
        failed = [show_all([measure(bench.this(function))]) for function in handlers]
    return int(any(failed))


def measure(subject: Subject) -> Line:
    """Send all events to one process, and return its growth."""
    with subject.start() as runtime:
        for _ in range(FIRST_EVENTS):
            subject.send(runtime)
        first = runtime.memory
        for _ in range(EVENTS - FIRST_EVENTS):
            subject.send(runtime)
        last = runtime.memory
    what = f"{subject.function}, MB after {EVENTS:,} ÷ {FIRST_EVENTS:,}"
    return Line(what, last / first, MAX_GROWTH, None, None, f"{last:.1f} and {first:.1f}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

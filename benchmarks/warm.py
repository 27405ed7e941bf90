"""What one more event costs a warm process, and what it costs PostgreSQL.

`make bench WHAT=warm` measures, in turns of some events each,

* the CPU of the process for a spin, divided by the naive handler's,
* the CPU of the process for `get_me`, divided by that of a handler by hand on psycopg's pipeline mode,
* the CPU of PostgreSQL for a call of the authorizer and for a claim: of the server process of the handler's connection,
  in microseconds. The baseline's is beside it.

All run on Lambda's runtime client, whose own share of the CPU is in each figure. The result is the cheapest turn,
because other work on the machine only adds. Noise is a second process with the same handler divided by the first.
ROUNDS=… takes another number of turns, MEMBERS=… of members. The status is 1 if a limit is missed.
"""

import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.report import Line, print_heading, show_all
from benchmarks.runtime import Runtime, cpu_seconds
from benchmarks.subjects import Bench, Subject, prepared
from benchmarks.workload import server_processes

ROUNDS = int(os.environ.get("ROUNDS", "20"))
EVENTS = 100
"""Events of one turn."""
WARM_UP = 50
MEMBERS = int(os.environ.get("MEMBERS", "1000000"))


@dataclass
class Warm:
    """A running handler, with the CPU seconds of each turn divided by its events: its own and PostgreSQL's."""

    subject: Subject
    runtime: Runtime
    server_process: int
    cpu: list[float] = field(default_factory=list)
    postgres_cpu: list[float] = field(default_factory=list)

    def turn(self) -> None:
        """Send the events of one turn."""
        postgres = cpu_seconds(self.server_process)
        self.cpu.append(sum(self.subject.send(self.runtime).cpu for _ in range(EVENTS)) / EVENTS)
        self.postgres_cpu.append((cpu_seconds(self.server_process) - postgres) / EVENTS)


def main() -> int:
    """Measure, print the lines, and return the process's status."""
    with tempfile.TemporaryDirectory() as folder, prepared(Path(folder), MEMBERS) as bench:
        print_heading()
        failed = [
            compare(bench, "spin_wheel", bench.naive("spin_wheel"), "naive", (0.2, 0.14)),
            compare(bench, "get_me", bench.pipeline("get_me"), "psycopg pipeline", (2.2, 1.5)),
            measure_postgres(bench, "authorize", (350, 200)),
            measure_postgres(bench, "claim_code", (800, 500)),
        ]
    return int(any(failed))


def compare(bench: Bench, function: str, peer: Subject, name: str, goal: tuple[float, float]) -> bool:
    """Compare the CPU of this build's handler with a peer's; return whether the limit is missed."""
    baseline = bench.baseline(function)
    subjects = [bench.this(function), bench.this(function), peer, *([baseline] if baseline else [])]
    this, again, other, *before = (min(each.cpu) for each in alternate(*subjects))
    detail = f"{this * 1000:.2f} and {other * 1000:.2f} ms"
    if before:
        detail += f"; baseline {before[0] * 1000:.2f} ms, ratio {before[0] / other:.2f}"
    return show_all([Line(f"{function}, CPU ÷ {name}", this / other, *goal, again / this, detail)])


def measure_postgres(bench: Bench, function: str, goal: tuple[float, float]) -> bool:
    """Measure PostgreSQL's CPU for a handler of this build, beside the baseline's; return whether a limit is missed."""
    baseline = bench.baseline(function)
    subjects = [bench.this(function), bench.this(function), *([baseline] if baseline else [])]
    this, again, *others = (min(each.postgres_cpu) * 1e6 for each in alternate(*subjects))
    detail = f"baseline {others[0]:.0f}, ratio {this / others[0]:.2f}" if others else ""
    return show_all([Line(f"{function}, CPU of PostgreSQL, µs", this, *goal, again / this, detail)])


def alternate(*subjects: Subject) -> list[Warm]:
    """Run the subjects in turns, each in its own process, and return what was measured."""
    with ExitStack() as resources:
        running = [warm_up(subject, resources.enter_context(subject.start())) for subject in subjects]
        for _ in range(ROUNDS):
            for each in running:
                each.turn()
    return running


def warm_up(subject: Subject, runtime: Runtime) -> Warm:
    """Send the first events, and find the process of PostgreSQL that serves the handler's connection."""
    with server_processes(subject.workload) as find:
        for _ in range(WARM_UP):
            subject.send(runtime)
        (server_process,) = find()
    return Warm(subject, runtime, server_process)


if __name__ == "__main__":
    sys.exit(main())

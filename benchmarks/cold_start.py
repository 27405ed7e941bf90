"""What a cold start costs: from the start of the process to the first answer, on Lambda's runtime client.

`make bench WHAT=cold_start` measures the authorizer and handlers of members, in this build and in the baseline, and the
naive handlers of the same duties, in turns. ARGS="authorize get_me" measures only these, ROUNDS=… takes another number
of rounds.

* CPU, user and system, is the least of all rounds, because other work on the machine only adds to it.
* Memory is the median of the largest resident sets.
* `first ÷ warm` is the CPU of the first event, without the imports, divided by that of a warm one.
* Noise is a second series of the baseline divided by the first.

The status is 1 if a limit is missed.
"""

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.report import Line, print_heading, show_all
from benchmarks.subjects import Bench, Subject, prepared

AUTHORIZER = "authorize"
HANDLERS = (AUTHORIZER, "get_me", "spin_wheel", "claim_code", "join_race", "list_races", "get_race", "get_leaderboard")
NAIVE = ("get_me", "spin_wheel", "claim_code")
"""The handlers of which `benchmarks/peers/naive` has one with the same duties."""
ROUNDS = int(os.environ.get("ROUNDS", "8"))
WARM_UP, WARM = 20, 100  # events
MEMBERS = 2000


@dataclass(frozen=True)
class Goal:
    """The limit and the moonshot of each figure; memory in MB."""

    baseline: tuple[float, float]
    memory: tuple[float, float]
    naive: tuple[float, float] = (0.7, 0.35)
    first: tuple[float, float] = (12.0, 6.0)


OF_AUTHORIZER = Goal(baseline=(0.35, 0.18), memory=(32.0, 22.0))
OF_HANDLERS = Goal(baseline=(0.85, 0.45), memory=(60.0, 40.0))


@dataclass
class Series:
    """What was measured of one handler of one build: seconds of CPU, and MB."""

    cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    warm: float = 0.0

    @property
    def first_ratio(self) -> float:
        """The CPU of the first event divided by that of a warm one."""
        return min(self.first) / self.warm


def main(chosen: list[str]) -> int:
    """Measure, print the lines of each handler, and return the process's status."""
    with tempfile.TemporaryDirectory() as folder, prepared(Path(folder), MEMBERS) as bench:
        print_heading()
        failed = [measure(bench, function) for function in chosen or HANDLERS]
    return int(any(failed))


def measure(bench: Bench, function: str) -> bool:
    """Start the handlers of both builds and the naive one in turns; return whether a limit is missed."""
    this, baseline, again, naive = series = [Series() for _ in range(4)]
    subjects = [
        bench.this(function),
        *[bench.baseline(function)] * 2,
        bench.naive(function) if function in NAIVE else None,
    ]
    for number in range(ROUNDS + 1):
        for subject, each in zip(subjects, series, strict=True):
            if subject is not None:
                start(subject, each, warm=number == ROUNDS)
    return show_all(lines(function, this, baseline, again, naive))


def start(subject: Subject, series: Series, *, warm: bool) -> None:
    """Start the process, send the first event and note what it cost; then send warm ones, if asked to."""
    with subject.start() as runtime:
        first = subject.send(runtime)
        series.cpu.append(runtime.started_cpu + first.cpu)
        series.first.append(first.cpu)
        series.memory.append(runtime.peak_memory)
        if warm:
            costs = [subject.send(runtime).cpu for _ in range(WARM_UP + WARM)]
            series.warm = statistics.median(costs[WARM_UP:])


def lines(function: str, this: Series, baseline: Series, again: Series, naive: Series) -> Iterator[Line]:
    """Yield the lines of a handler; a series is empty if there is no such build or handler."""
    goal = OF_AUTHORIZER if function == AUTHORIZER else OF_HANDLERS
    cpu, memory = min(this.cpu), statistics.median(this.memory)
    ratio = noise = None
    memory_detail = first_detail = ""
    if baseline.cpu:
        ratio, noise = cpu / min(baseline.cpu), min(again.cpu) / min(baseline.cpu)
        memory_detail = f"baseline {statistics.median(baseline.memory):.1f}"
        first_detail = f"baseline {baseline.first_ratio:.1f}; "
    yield Line(f"{function}, CPU ÷ baseline", ratio, *goal.baseline, noise, milliseconds(this, baseline))
    if naive.cpu:
        yield Line(f"{function}, CPU ÷ naive", cpu / min(naive.cpu), *goal.naive, noise, milliseconds(this, naive))
    yield Line(f"{function}, MB", memory, *goal.memory, None, memory_detail)
    first_detail += f"{min(this.first) * 1000:.1f} and {this.warm * 1000:.2f} ms"
    yield Line(f"{function}, CPU of first ÷ warm", this.first_ratio, *goal.first, None, first_detail)


def milliseconds(*series: Series) -> str:
    """Return the CPU of each series in words."""
    return " and ".join(f"{min(each.cpu) * 1000:.0f}" for each in series if each.cpu) + " ms"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

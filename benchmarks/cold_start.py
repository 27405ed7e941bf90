"""What a cold start costs: from the start of the process to the first answer, on Lambda's runtime client.

`make bench WHAT=cold_start` measures the authorizer and handlers of members, in this build and in the baseline, in
turns. ARGS="authorize get_me" measures only these, ROUNDS=… takes another number of rounds.

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
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.builds import Build, build_both, copy_runtime_client
from benchmarks.report import Line, print_heading, show_all
from benchmarks.runtime import Runtime
from benchmarks.workload import Workload, prepare, server

AUTHORIZER = "authorize"
HANDLERS = (AUTHORIZER, "get_me", "spin_wheel", "claim_code", "join_race")
ROUNDS = int(os.environ.get("ROUNDS", "8"))
WARM_UP, WARM = 20, 100  # events
MEMBERS = 2000


@dataclass(frozen=True)
class Goal:
    """The limit and the moonshot of each figure; memory in MB."""

    baseline: tuple[float, float]
    memory: tuple[float, float]
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


@dataclass
class Subject:
    """One handler of one build, which each round starts once."""

    build: Build
    workload: Workload
    function: str
    path: tuple[Path, ...]
    variables: dict[str, str]
    sent: int = 0
    series: Series = field(default_factory=Series)

    def start(self, *, warm: bool = False) -> None:
        """Start the process, send the first event and note what it cost; then send warm ones, if asked to."""
        folder = self.build.folder(self.function)
        with Runtime(folder, f"{self.function}.handler", self.path, self.variables) as runtime:
            first = runtime.invoke(self._event())
            self.series.cpu.append(runtime.started_cpu + first.cpu)
            self.series.first.append(first.cpu)
            self.series.memory.append(runtime.peak_memory)
            if warm:
                costs = [runtime.invoke(self._event()).cpu for _ in range(WARM_UP + WARM)]
                self.series.warm = statistics.median(costs[WARM_UP:])

    def _event(self) -> object:
        self.sent += 1
        return self.workload.event(self.function, self.sent)


def main(chosen: list[str]) -> int:
    """Measure, print a line for each figure, and return the process's status."""
    with tempfile.TemporaryDirectory() as name, server(Path(name) / "postgres") as postgres:
        folder = Path(name)
        client = copy_runtime_client(folder / "runtime")
        with build_both(folder) as builds:
            workloads = {build.name: prepare(postgres, build, MEMBERS) for build in builds}
            print_heading()
            failed = [measure(function, builds, workloads, client) for function in chosen or HANDLERS]
    return int(any(failed))


def measure(function: str, builds: list[Build], workloads: dict[str, Workload], client: Path) -> bool:
    """Start a handler of each build in turns, print its lines, and return whether it misses a limit."""
    subjects = []
    for build in (*builds, *builds[1:]):  # the baseline twice
        workload = workloads[build.name]
        variables = workload.variables(build, function)
        subjects.append(Subject(build, workload, function, (build.layer, client), variables))
    for number in range(ROUNDS + 1):
        for subject in subjects:
            subject.start(warm=number == ROUNDS)
    this, *baselines = [subject.series for subject in subjects]
    return report(function, this, baselines)


def report(function: str, this: Series, baselines: list[Series]) -> bool:
    """Print the lines of a handler; return whether it misses a limit."""
    goal = OF_AUTHORIZER if function == AUTHORIZER else OF_HANDLERS
    cpu, memory = min(this.cpu), statistics.median(this.memory)
    ratio = noise = None
    cpu_detail, memory_detail, first_detail = f"{cpu * 1000:.0f} ms", "", ""
    if baselines:
        before, again = (min(baseline.cpu) for baseline in baselines)
        ratio, noise = cpu / before, again / before
        cpu_detail += f" and {before * 1000:.0f} ms"
        memory_detail = f"baseline {statistics.median(baselines[0].memory):.1f}"
        first_detail = f"baseline {baselines[0].first_ratio:.1f}; "
    first_detail += f"{min(this.first) * 1000:.1f} ms and {this.warm * 1000:.2f} ms"
    lines = (
        Line(f"{function}, CPU ÷ baseline", ratio, *goal.baseline, noise, cpu_detail),
        Line(f"{function}, MB", memory, *goal.memory, None, memory_detail),
        Line(f"{function}, CPU of first ÷ warm", this.first_ratio, *goal.first, None, first_detail),
    )
    return show_all(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

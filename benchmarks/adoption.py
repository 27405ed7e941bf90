"""What the checks of an adoption cost: `make bench WHAT=adoption`, with all of them and with only the former ones.

The former checks are those that `db-check` had before it looked at sequences, settings, functions and accounts. The
same checkout adopts equal databases by the same steps, in turns with all checks and with only the former ones. The cost
is processor time, of the adoption and of its server, so that the load of the machine matters little. With all checks it
may be 1.3 times what it is with the former ones.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from inspect import isfunction, signature
from pathlib import Path
from pkgutil import walk_packages

from sqlalchemy import text

from benchmarks.builds import ROOT
from database import check, checks
from database.embedded import Server, running
from migrations.upgrade import engine

MEMBERS = int(os.environ.get("MEMBERS", "100000"))
RUNS = 3
LIMIT = 1.3
NAME = "guide"
GUIDE = ROOT / "tests" / "support" / "legacy" / "guide.sql"

# Every fiftieth member is a shell, and every thousandth reads as the one before.
ROWS = """
INSERT INTO users (username, password, email, uid, total_wager)
    SELECT CASE WHEN n % 1000 = 0 THEN 'MEMBER' || n - 1 ELSE 'Member' || n END,
        CASE WHEN n % 50 = 0 THEN '' ELSE repeat(md5(n::text), 4) || '.' || md5(n::text) END,
        CASE WHEN n % 50 = 0 THEN n || '@goated.placeholder' ELSE 'm' || n || '@example.com' END, 'uid' || n, n / 3.0
    FROM generate_series(1, :members) n;
INSERT INTO wheel_spins (user_id, segment_index, timestamp)
    SELECT n, n % 7, timestamp '2025-01-01' + n % 400 * interval '1 day' FROM generate_series(1, :members) n;
INSERT INTO bonus_codes (code, user_id, expires_at, is_used)
    SELECT 'CODE-' || n, n, '2999-01-01', n % 2 = 0 FROM generate_series(1, :members / 2) n;
ANALYZE;
"""
FORMER = {
    "comparison.compared",
    "differences._unseen",
    "differences.differences",
    "questions.answer",
    "revision.lost",
    "rights.rights",
    "rows._of_key",
    "rows._of_values",
    "rows.questions",
    "schema.added",
    "schema.emptied",
    "schema.in_the_way",
    "settings.clocks",
    "settings.read_only",
}
"""The functions of database/checks/ that are the former checks. `machinery` and `functions_roles` are not among them:
they were there, and compared names only."""
ADOPT = """
import os, sys, time
os.environ["YES"] = "1"
from benchmarks.adoption import switch_off_later_checks
from database.adopt import adopt
if sys.argv[2] == "former":
    switch_off_later_checks()
print("imported in", time.process_time())
started = time.perf_counter()
adopt(sys.argv[1])
print("adopted in", time.perf_counter() - started)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of an adoption: of processors, and on the clock."""

    processor: float
    clock: float


def fill(server: Server) -> None:
    """Create the database that is adopted."""
    with engine(server.url("postgres")).connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        autocommit.execute(text(f"CREATE DATABASE {NAME}"))
        autocommit.execute(text(f"ALTER DATABASE {NAME} SET timezone TO 'UTC'"))
    with engine(server.url(NAME)).begin() as connection:
        connection.exec_driver_sql(GUIDE.read_text())
        connection.exec_driver_sql("SET search_path TO public")
        connection.exec_driver_sql(ROWS.replace(":members", str(MEMBERS)))


def switch_off_later_checks() -> None:
    """Let each function that checks something, and is not a former one, find nothing.

    Raises
    ------
    ValueError: a former check has another name now.
    """
    modules = [check, *(import_module(found.name) for found in walk_packages(checks.__path__, f"{checks.__name__}."))]
    missing = set(FORMER)
    for module in modules:
        for name, function in [*vars(module).items()]:
            qualified = f"{getattr(function, '__module__', '').removeprefix(f'{checks.__name__}.')}.{name}"
            missing.discard(qualified)
            if qualified not in FORMER and (nothing := _nothing(function)) is not None:
                setattr(module, name, nothing)
    if missing:
        raise ValueError(f"There are no checks {', '.join(sorted(missing))}.")


def _nothing(function: object) -> Callable[..., object] | None:
    """Return what finds nothing in the place of a function of database/checks/ that finds something; else none."""
    if not (isfunction(function) and function.__module__.startswith(f"{checks.__name__}.")):
        return None
    answer = str(signature(function).return_annotation)
    if "Finding | None" in answer:
        return lambda *_, **__: None
    found = ("Finding]", "Question]", "Undecided]")
    return (lambda *_, **__: iter(())) if "Iterator[" in answer and answer.endswith(found) else None


def measure(cluster: Path, which: str) -> Cost:
    """Adopt the database of a copy of the cluster, with all checks or with the former ones."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "postgres"
        subprocess.run(["cp", "-a", str(cluster), str(copy)], check=True)
        before = _processor_seconds()
        with running(copy, durable=False) as server:
            done = subprocess.run(
                [sys.executable, "-c", ADOPT, server.url(NAME), which],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'shared'}"},
                capture_output=True,
                text=True,
                check=True,
            )
        imported, adopted = (
            float(line.rsplit(" ", 1)[1])
            for line in done.stdout.splitlines()
            if line.startswith(("imported in", "adopted in"))
        )
        return Cost(_processor_seconds() - before - imported, adopted)


def _processor_seconds() -> float:
    """Return the processor time of all processes that this one started and that have ended, and of their own."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Print the costs and their ratio; return the process's status."""
    costs: dict[str, list[Cost]] = {"former": [], "all": []}
    with tempfile.TemporaryDirectory() as folder:
        cluster = Path(folder) / "postgres"
        with running(cluster, durable=False) as server:
            fill(server)
        for _ in range(RUNS):
            for which, runs in costs.items():
                runs.append(measure(cluster, which))
    for which, runs in costs.items():
        shown = ", ".join(f"{run.processor:.1f} ({run.clock:.1f})" for run in runs)
        print(f"{which:6} checks, seconds of processors (on the clock): {shown}")
    ratios = [now.processor / before.processor for before, now in zip(costs["former"], costs["all"], strict=True)]
    ratio = statistics.median(ratios)
    print(f"{MEMBERS:,} members: with all checks {ratio:.2f} times the processor time, at most {LIMIT};", end=" ")
    print(f"runs: {', '.join(f'{each:.2f}' for each in ratios)}")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())

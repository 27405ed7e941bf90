"""What an adoption costs: `make bench WHAT=adoption`, in this checkout and in an earlier one, on equal databases.

BASE names the earlier commit; it is checked out beside this one.  By default it is the last one before `db-check`
looked at sequences, settings, functions and accounts.  The cost is processor time, of the adoption and of its server,
so that the load of the machine matters little.  The limit is 1.3 times the cost in the earlier checkout.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from benchmarks.builds import ROOT, worktree
from database.embedded import Server, running
from migrations.upgrade import engine

BASE = os.environ.get("BASE", "8432132")
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
ADOPT = """
import os, sys, time
os.environ["YES"] = "1"
from database.adopt import adopt
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


def measure(cluster: Path, checkout: Path) -> Cost:
    """Adopt the database of a copy of the cluster with the code of a checkout."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "postgres"
        subprocess.run(["cp", "-a", str(cluster), str(copy)], check=True)
        before = _processor_seconds()
        with running(copy, durable=False) as server:
            done = subprocess.run(
                [sys.executable, "-c", ADOPT, server.url(NAME)],
                cwd=checkout,
                env=os.environ | {"PYTHONPATH": f"{checkout}{os.pathsep}{checkout / 'shared'}"},
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
    with tempfile.TemporaryDirectory() as folder, worktree(BASE, Path(folder) / "earlier") as earlier:
        cluster = Path(folder) / "postgres"
        with running(cluster, durable=False) as server:
            fill(server)
        costs: dict[str, list[Cost]] = {"earlier": [], "now": []}
        for _ in range(RUNS):
            for name, checkout in (("earlier", earlier), ("now", ROOT)):
                costs[name].append(measure(cluster, checkout))
    for name, runs in costs.items():
        shown = ", ".join(f"{run.processor:.1f} ({run.clock:.1f})" for run in runs)
        print(f"{name:8} seconds of processors (on the clock): {shown}")
    ratios = [now.processor / before.processor for before, now in zip(costs["earlier"], costs["now"], strict=True)]
    ratio = statistics.median(ratios)
    print(f"{MEMBERS:,} members: {ratio:.2f} times the processor time of {BASE}, at most {LIMIT};", end=" ")
    print(f"runs: {', '.join(f'{each:.2f}' for each in ratios)}")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())

"""How long an adoption takes: `make bench WHAT=adoption`, of this checkout and of an earlier one, on equal databases.

BASE names the earlier commit; it is checked out beside this one.  By default it is the last one before `db-check`
looked at sequences, settings, functions and accounts.  The limit is 1.3 times the time of the earlier one.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from sqlalchemy import text

from database.embedded import Server, running
from migrations.upgrade import engine

ROOT = Path(__file__).resolve().parent.parent
BASE = os.environ.get("BASE", "8432132")
MEMBERS = int(os.environ.get("MEMBERS", "100000"))
RUNS = 3
LIMIT = 1.3
TEMPLATE = "guide"
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
import database
from database.adopt import adopt
started = time.perf_counter()
adopt(sys.argv[1])
print(time.perf_counter() - started)
"""


def fill(server: Server) -> None:
    """Create the database that the others are copied from."""
    with engine(server.url("postgres")).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(f"CREATE DATABASE {TEMPLATE}"))
    with engine(server.url(TEMPLATE)).begin() as connection:
        connection.exec_driver_sql(GUIDE.read_text())
        connection.exec_driver_sql("SET search_path TO public")
        connection.exec_driver_sql(ROWS.replace(":members", str(MEMBERS)))


def measure(server: Server, checkout: Path, name: str) -> float:
    """Return the seconds that a checkout takes to adopt a copy of the database."""
    with engine(server.url("postgres")).connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        autocommit.execute(text(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
        autocommit.execute(text(f"ALTER DATABASE {name} SET timezone TO 'UTC'"))
    done = subprocess.run(
        [sys.executable, "-c", ADOPT, server.url(name)],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": f"{checkout}{os.pathsep}{checkout / 'shared'}"},
        capture_output=True,
        text=True,
        check=True,
    )
    with engine(server.url("postgres")).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(f"DROP DATABASE {name}"))
    return float(done.stdout.splitlines()[-1])


def main() -> int:
    """Print both medians; return the process's status."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "postgres", durable=False) as server:
        earlier = Path(folder) / "earlier"
        earlier.mkdir()
        archive = subprocess.run(["git", "-C", str(ROOT), "archive", BASE], stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["tar", "-x", "-C", str(earlier)], input=archive, check=True)
        fill(server)
        times: dict[str, list[float]] = {"earlier": [], "now": []}
        for run in range(RUNS):
            for name, checkout in (("earlier", earlier), ("now", ROOT)):
                times[name].append(measure(server, checkout, f"{name}_{run}"))
    medians = {name: statistics.median(each) for name, each in times.items()}
    for name, each in times.items():
        print(f"{name:8} {medians[name]:6.2f} s  of {', '.join(f'{one:.2f}' for one in each)}")
    ratio = medians["now"] / medians["earlier"]
    print(f"{MEMBERS:,} members: {ratio:.2f} times the earlier one, at most {LIMIT}")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())

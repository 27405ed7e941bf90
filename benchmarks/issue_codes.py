"""A batch of codes compared with psycopg's COPY of the same rows (`make bench WHAT=issue_codes`).

Both write into the same table with its indexes, triggers and constraints, in turns. Issuing 100,000 codes makes their
texts, writes them with their batch and the entry of the audit log in one statement, and may take four times as long as
COPY of rows that are made already. The time for each code must also stay the same, whatever their number. ROUNDS=…
takes another number of turns. The status is 1 if a limit is missed.
"""

import importlib
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import sqlalchemy as sa

from benchmarks.claim_together import new_callers
from benchmarks.report import Line, print_heading, show_all
from benchmarks.subjects import install_group
from database.embedded import Server, running
from goatedvips import db
from goatedvips.domain.access import Caller
from goatedvips.domain.codes import generator, issue
from migrations.roles_and_timeouts import ensure_roles
from migrations.upgrade import engine, upgrade

COUNTS, ROUNDS = (1_000, 10_000, 100_000), int(os.environ.get("ROUNDS", "5"))
MAX_COPIES, MAX_GROWTH = 4, 1.5
COPY = "COPY bonus_codes (code, code_key, batch_id, claimed_at, value, currency, expires_at, max_claims) FROM STDIN"
NEW_BATCH = "INSERT INTO code_batches (size, created_at) VALUES (:size, now()) RETURNING id"


def main() -> int:
    """Measure, print the lines, and return the process's status."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "postgres") as server:
        packages = Path(folder) / "packages"
        install_group(packages)
        sys.path.insert(0, str(packages))
        psycopg = importlib.import_module("psycopg")
        upgrade(server.url("postgres"))
        database = engine(server.url("postgres"))
        with database.begin() as connection:
            ensure_roles(connection)
        autocommit = database.execution_options(isolation_level="AUTOCOMMIT")
        (staff,) = new_callers(autocommit, 1)
        with autocommit.connect() as connection:
            connection.execute(sa.text("UPDATE users SET is_admin = true"))
        measured = measure(server, autocommit, staff, psycopg)
        database.dispose()
    return int(show_all(lines(measured)))


def measure(
    server: Server,
    database: sa.Engine,
    staff: Caller,
    psycopg: Any,  # noqa: ANN401 - a module that is installed here
) -> dict[int, list[tuple[float, float]]]:
    """Return, for each number of codes, the seconds of issuing and of COPY in each turn."""
    own = db.make_engine(server.url("postgres", "jobs"))
    peer = psycopg.connect(server.url("postgres", "jobs"))
    found: dict[int, list[tuple[float, float]]] = {count: [] for count in COUNTS}
    for turn in range(ROUNDS + 1):
        for count in COUNTS:
            rows = new_rows(database, count)
            seconds = (
                duration(partial(issue_batch, own, staff, count)),
                duration(partial(copy, peer, rows)),
            )
            if turn > 0:  # the first warms up
                found[count].append(seconds)
    peer.close()
    own.dispose()
    return found


def lines(measured: dict[int, list[tuple[float, float]]]) -> list[Line]:
    """Return the lines of the result."""
    print_heading()
    largest = max(COUNTS)
    ratios = [own / peer for own, peer in measured[largest]]
    medians = {count: statistics.median(own for own, _ in turns) for count, turns in measured.items()}
    own, peer = medians[largest], statistics.median(peer for _, peer in measured[largest])
    noise = max(peer for _, peer in measured[largest]) / min(peer for _, peer in measured[largest])
    growth = (medians[largest] / largest) / (medians[10_000] / 10_000)
    each = ", ".join(f"{count:,}: {seconds / count * 1e6:.1f} µs" for count, seconds in medians.items())
    return [
        Line("100,000 codes ÷ COPY", statistics.median(ratios), MAX_COPIES, None, noise, f"{own:.2f} and {peer:.2f} s"),
        Line("time of a code, of 100,000 ÷ of 10,000", growth, MAX_GROWTH, None, noise, each),
    ]


def issue_batch(own: sa.Engine, staff: Caller, count: int) -> None:
    """Issue a batch as the handler does."""
    now = datetime.now(UTC)
    terms = issue.Terms(None, Decimal(5), "USD", None, now + timedelta(days=30), 1, None)
    with own.begin() as connection:
        issue.issue_batch(connection, staff, terms, count, now=now)


def new_rows(database: sa.Engine, count: int) -> list[tuple[object, ...]]:
    """Insert a batch, and return as many rows of codes for it."""
    now = datetime.now(UTC).replace(tzinfo=None)
    with database.connect() as connection:
        batch = connection.scalar(sa.text(NEW_BATCH), {"size": count})
    end = now + timedelta(days=30)
    return [(code, code.replace("-", ""), batch, now, Decimal(5), "USD", end, 1) for code in generator.new_codes(count)]


def copy(peer: Any, rows: list[tuple[object, ...]]) -> None:  # noqa: ANN401 - a connection of psycopg
    """Copy the rows in a transaction."""
    with peer.transaction(), peer.cursor() as cursor, cursor.copy(COPY) as target:
        for row in rows:
            target.write_row(row)


def duration(work: Callable[[], None]) -> float:
    """Return the seconds that this work takes."""
    started = perf_counter()
    work()
    return perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())

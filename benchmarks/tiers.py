"""A version of the tiers is published with 100,000 members, compared with psycopg's COPY of the rows that this writes.

`make bench WHAT=tiers`. All names are new, and nearly all members have reached all eight tiers: nothing that staff can
publish writes more. A request has 29 s. COPY writes the same rows under other names, and an UPDATE sets the present
tier of each member. Both are measured in turns, and a version without a new name too. Seconds are of the processor, of
this process and its server process together, because they depend less on what else the machine does. COUNT=… and
ROUNDS=… take other numbers. The status is 1 if a limit is missed.
"""

import importlib
import os
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.processor import measure
from benchmarks.report import Line, print_heading, show_all
from benchmarks.settlement import execute
from benchmarks.subjects import install_group
from database.embedded import running
from goatedvips import db
from goatedvips.domain.callers import Caller
from goatedvips.domain.wagers import tier_versions
from migrations.roles_and_timeouts import ensure_roles
from migrations.upgrade import engine, upgrade

COUNT, ROUNDS = int(os.environ.get("COUNT", "100000")), int(os.environ.get("ROUNDS", "3"))
MAX_COPIES = 1.5
MOST_SECONDS = 29 / 2  # half of what the function has
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LEAST = (0, 10_000, 50_000, 250_000, 1_000_000, 2_500_000, 7_000_000, 20_000_000)
FILLING = """
INSERT INTO users (username, email, password, total_wager, is_admin)
    SELECT 'user-' || n, 'user-' || n || '@mail.gg', '$2b$12$' || repeat('x', 53), 1000.0 * n, n = 1
    FROM generate_series(1, :count) n;
INSERT INTO sessions (user_id, token_hash, created_at, expires_at)
    SELECT min(id), '\\x00', '2026-06-01', '2036-06-01' FROM users
"""
ROWS = "SELECT user_id, left(tier, -1) || 'p', reached_at, reward, is_silent FROM member_tiers WHERE tier LIKE %s"
SET_TIERS = "UPDATE users SET tier = left(tier, -1) || 'p'"


def main() -> int:
    """Measure, print the lines, and return the process's status."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "postgres") as server:
        packages = Path(folder) / "packages"
        install_group(packages)
        sys.path.insert(0, str(packages))
        psycopg = importlib.import_module("psycopg")
        upgrade(server.url("postgres"))
        database = engine(server.url("postgres")).execution_options(isolation_level="AUTOCOMMIT")
        with database.connect() as connection:
            ensure_roles(connection)
        execute(database, FILLING, count=COUNT)
        subject = db.make_engine(server.url("postgres", "jobs"))
        peer = psycopg.connect(server.url("postgres"))
        turns = [take_turn(database, subject, peer, f"{turn}") for turn in range(ROUNDS + 1)][1:]  # the first warms up
        peer.close()
        subject.dispose()
        database.dispose()
    print_heading()
    whole, usual, copied = ([turn[part] for turn in turns] for part in range(3))
    ratio = statistics.median(own / other for own, other in zip(whole, copied, strict=True))
    seconds = f"{statistics.median(whole):.2f} and {statistics.median(copied):.2f} s"
    return int(
        show_all(
            [
                Line(
                    f"{COUNT:,} members ÷ COPY and UPDATE", ratio, MAX_COPIES, None, max(copied) / min(copied), seconds
                ),
                Line("seconds of CPU, all names new", statistics.median(whole), MOST_SECONDS),
                Line("seconds of CPU, no name new", statistics.median(usual), None),
            ]
        )
    )


def take_turn(database: sa.Engine, subject: sa.Engine, peer: Any, turn: str) -> tuple[float, float, float]:  # noqa: ANN401
    """Return the seconds of a version with new names, of one without, and of COPY; the tables are as before."""
    with database.connect() as connection:
        session = connection.execute(sa.text("SELECT user_id, id FROM sessions")).one()
        caller = Caller(session.user_id, session.id, request_id=turn)
        connection.exec_driver_sql("TRUNCATE member_tiers")
        connection.exec_driver_sql("VACUUM ANALYZE")
    with subject.connect() as connection:
        pid = int(connection.scalar(sa.text("SELECT pg_backend_pid()")) or 0)
    whole, usual = (measure(pid, partial(publish, subject, caller, turn, reward)) for reward in (0, 1))
    rows = peer.execute(ROWS, [f"tier-_-{turn}"]).fetchall()
    peer.commit()
    if len(rows) < COUNT:
        raise RuntimeError(f"only {len(rows)} tiers were recorded")
    with database.connect() as connection:
        connection.exec_driver_sql("TRUNCATE member_tiers")
        connection.exec_driver_sql("VACUUM ANALYZE")
    return whole, usual, measure(peer.info.backend_pid, lambda: copy(peer, rows))


def publish(subject: sa.Engine, caller: Caller, turn: str, reward: int) -> None:
    """Publish eight tiers whose names end with the turn."""
    tiers = [
        tier_versions.Tier(f"tier-{position}-{turn}", Decimal(least), Decimal(reward))
        for position, least in enumerate(LEAST)
    ]
    with subject.begin() as connection:
        tier_versions.publish(connection, caller, tiers, now=NOW)


def copy(peer: Any, rows: list[tuple[object, ...]]) -> None:  # noqa: ANN401 - a connection of psycopg
    """Copy finished rows into their table and set the present tiers, in one transaction."""
    into = "COPY member_tiers (user_id, tier, reached_at, reward, is_silent) FROM STDIN"
    with peer.transaction(), peer.cursor() as cursor:
        cursor.execute(SET_TIERS)
        with cursor.copy(into) as target:
            for row in rows:
                target.write_row(row)


if __name__ == "__main__":
    sys.exit(main())

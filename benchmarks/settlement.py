"""The settlement of a race with 100,000 participants, compared with psycopg's COPY of the rows that it writes.

`make bench WHAT=settlement`. The settlement works out scores and ranks, and writes each participant's row with a
history, a mail for each, 100 rewards and the archive. COPY writes the finished rows of all four tables into empty ones
with the same indexes. Both are measured in turns. Seconds are of the processor, of this process and its server process
together, because they depend less on what else the machine does. COUNT=… and ROUNDS=… take other numbers. The status is
1 if a limit is missed.
"""

import importlib
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.processor import measure
from benchmarks.report import Line, print_heading, show_all
from benchmarks.subjects import install_group
from database.embedded import Server, running
from goatedvips import db
from goatedvips.domain.races.results import settlement
from migrations.roles_and_timeouts import ensure_roles
from migrations.upgrade import engine, upgrade

COUNT, ROUNDS = int(os.environ.get("COUNT", "100000")), int(os.environ.get("ROUNDS", "3"))
FEW = 100  # participants of the race whose statements are counted too
READINGS = 6  # of each account within a race, besides the one at its start
MAX_COPIES = 3
START = datetime(2026, 6, 1, tzinfo=UTC)
LENGTH = timedelta(days=7)

ACCOUNTS = """
INSERT INTO users (username, email, password, email_verified, uid)
    SELECT 'user-' || n, n || '@example.com', 'unusable', true, 'uid-' || n FROM generate_series(1, :count) n;
INSERT INTO wager_accounts (uid, user_id, total_wager, wager_today, wager_week, wager_month, read_at, first_seen_at)
    SELECT uid, id, 0, 0, 0, 0, created_at, created_at FROM users WHERE uid IS NOT NULL
"""
FEEDS = """
INSERT INTO feeds (key, requested_at, ingested_at, sha256, is_whole, entry_count, bad_count, uid_count, missing_count)
    SELECT 'feed/' || :first || '-' || n, CAST(:start AS timestamp) + n * interval '1 day',
        CAST(:start AS timestamp) + n * interval '1 day', '', true, 1, 0, 1, 0
    FROM generate_series(0, 7) n;
INSERT INTO wager_readings (account_id, requested_at, feed_id, total)
    SELECT a.id, f.requested_at, f.id, extract(day FROM f.requested_at - '2026-06-01') * 100 + a.id % 997 + 0.12345678
    FROM wager_accounts a, feeds f WHERE f.requested_at > CAST(:start AS timestamp)
        AND f.requested_at <= CAST(:start AS timestamp) + interval '6 days'
"""
# As the last ingest leaves the board.
RACE = """
INSERT INTO wager_races (title, type, status, prize_pool, start_date, end_date, min_wager, prize_distribution,
    is_legacy)
    SELECT 'Race', 'weekly', 'live', 100000, CAST(:start AS timestamp),
        CAST(:start AS timestamp) + interval '7 days', 1, jsonb_object_agg(n, 1), false FROM generate_series(1, 100) n;
INSERT INTO wager_race_participants (race_id, user_id, member_key, is_listed, total_wager, rank, account_id, base)
    SELECT (SELECT max(id) FROM wager_races), user_id, user_id, true, 1, id, id, 0
    FROM wager_accounts ORDER BY id LIMIT :count
"""
WRITTEN = {
    "wager_race_participants": "race_id = {race}",
    "rewards": "source_type = 'race' AND source_id = {race}",
    "outbox": "payload ->> 'race_id' = '{race}'",
    "historical_races": "race_id = {race}",
}
"""What a settlement writes, by table."""


@dataclass
class Subject:
    """Settles races as the schedule does, and notes the statements."""

    engine: sa.Engine
    statements: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Note each statement."""
        sa.event.listen(self.engine, "before_cursor_execute", lambda *given: self.statements.append(given[2]))

    def settle(self, race_id: int, now: datetime) -> float:
        """Settle a race, and return the seconds."""
        with self.engine.connect() as connection:
            pid = int(connection.scalar(sa.text("SELECT pg_backend_pid()")) or 0)
        self.statements.clear()
        return measure(pid, lambda: self._settle(race_id, now))

    def _settle(self, race_id: int, now: datetime) -> None:
        with self.engine.begin() as connection:
            report = settlement.settle_due(connection, race_id, now=now)
        if report is None or report.ranked != report.participants:
            raise RuntimeError(f"not what is measured: {report}")


class Peer:
    """Copies finished rows with psycopg into empty tables with the same indexes."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - a connection of psycopg
        """Make the tables."""
        self.connection = connection
        for table in WRITTEN:
            connection.execute(f"CREATE TABLE copied_{table} (LIKE {table} INCLUDING ALL)")
        connection.commit()

    def rows_of(self, race_id: int) -> dict[str, list[tuple[object, ...]]]:
        """Return what was written for a race: for each table the rows, JSON as text."""
        found = {}
        for table, condition in WRITTEN.items():
            query = f"SELECT t.* FROM {table} t WHERE {condition.format(race=race_id)}"  # noqa: S608 - constants
            rows = self.connection.execute(query).fetchall()
            found[table] = [tuple(self._copied(value) for value in row) for row in rows]
        self.connection.commit()
        return found

    @staticmethod
    def _copied(value: object) -> object:
        json = importlib.import_module("psycopg.types.json")
        return json.Jsonb(value) if isinstance(value, dict | list) else value

    def copy(self, rows: dict[str, list[tuple[object, ...]]]) -> None:
        """Copy the rows in one transaction."""
        with self.connection.transaction(), self.connection.cursor() as cursor:
            for table, of_table in rows.items():
                with cursor.copy(f"COPY copied_{table} FROM STDIN") as target:
                    for row in of_table:
                        target.write_row(row)

    def seconds(self, race_id: int) -> float:
        """Copy what was written for a race, and return the seconds."""
        rows = self.rows_of(race_id)
        for table in WRITTEN:
            self.connection.execute(f"TRUNCATE copied_{table}")
        self.connection.commit()
        return measure(self.connection.info.backend_pid, lambda: self.copy(rows))


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
        execute(database, ACCOUNTS, count=COUNT)
        peer = Peer(psycopg.connect(server.url("postgres")))
        measured, counted = settle_all(database, server, peer)
        peer.connection.close()
        database.dispose()
    return int(show_all(lines(measured, counted)))


def settle_all(database: sa.Engine, server: Server, peer: Peer) -> tuple[list[tuple[float, float]], set[int]]:
    """Return the seconds of the settlement and of COPY in each turn, and the numbers of statements."""
    subject = Subject(db.make_engine(server.url("postgres", "jobs")))
    measured, counted = [], set()
    for turn in range(ROUNDS + 1):
        start = START + turn * LENGTH
        execute(database, FEEDS, start=start.replace(tzinfo=None), first=str(turn))
        race_id = new_race(database, start, FEW if turn == 0 else COUNT)
        own = subject.settle(race_id, start + LENGTH + settlement.DELAY)
        counted.add(len(subject.statements))
        if turn > 0:  # the first warms up
            measured.append((own, peer.seconds(race_id)))
    subject.engine.dispose()
    return measured, counted


def new_race(database: sa.Engine, start: datetime, count: int) -> int:
    """Insert a race with so many participants, and return its id."""
    execute(database, RACE, start=start.replace(tzinfo=None), count=count)
    with database.connect() as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
        return int(connection.execute(sa.text("SELECT max(id) FROM wager_races")).scalar_one())


def execute(database: sa.Engine, statements: str, **parameters: object) -> None:
    """Execute several statements without triggers, each with those of the parameters that it has."""
    with database.connect() as connection:
        connection.execute(sa.text("SET session_replication_role = replica"))
        for statement in statements.split(";"):
            given = {name: value for name, value in parameters.items() if f":{name}" in statement}
            connection.execute(sa.text(statement), given)
        connection.execute(sa.text("RESET session_replication_role"))


def lines(measured: list[tuple[float, float]], counted: set[int]) -> list[Line]:
    """Return the lines of the result."""
    print_heading()
    ratios = [own / peer for own, peer in measured]
    own, peer = (statistics.median(seconds) for seconds in zip(*measured, strict=True))
    noise = max(peer for _, peer in measured) / min(peer for _, peer in measured)
    statements = f"{min(counted)} for {FEW} participants, {max(counted)} for {COUNT:,}"
    return [
        Line("settlement ÷ COPY", statistics.median(ratios), MAX_COPIES, None, noise, f"{own:.2f} and {peer:.2f} s"),
        Line("statements, most ÷ fewest", max(counted) / min(counted), 1, None, 1.0, statements),
    ]


if __name__ == "__main__":
    sys.exit(main())

"""Monthly statements of 100,000 members, compared with psycopg's COPY of the rows that are written.

`make bench WHAT=statements`. Each member has readings, spins, claims and rewards in the month, and rewards of earlier
months; one in ten has wagered since the month ended, and one in ten was in a race. A run writes the statements, the
mail and the inbox of all, a batch at a time. COPY writes the same rows into the same tables, in one transaction, after
they were emptied. Seconds are of the processor, of this process and its server process together, because they depend
less on what else the machine does. A second run, which finds all statements, and one that was cut off in the middle are
measured too. COUNT=… and ROUNDS=… take other numbers. The status is 1 if a limit is missed.
"""

import importlib
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.processor import measure
from benchmarks.report import Line, print_heading, show_all
from benchmarks.settlement import execute
from benchmarks.subjects import install_group
from database.embedded import running
from goatedvips import db
from goatedvips.domain.wagers.statements import months, writing
from migrations.roles_and_timeouts import ensure_roles
from migrations.upgrade import engine, upgrade

COUNT, ROUNDS = int(os.environ.get("COUNT", "100000")), int(os.environ.get("ROUNDS", "3"))
MAX_COPIES = 4
MAY = months.Month(datetime(2026, 5, 1, tzinfo=UTC))
NOW = datetime(2026, 6, 1, 0, 10, tzinfo=UTC)
WRITTEN = ("statements", "outbox", "notifications")
"""The tables that a run inserts into."""

FILLING = """
INSERT INTO users (username, email, password, email_verified, uid, tier)
    SELECT 'user-' || n, n || '@example.com', 'unusable', true, 'uid-' || n, 'Gold' FROM generate_series(1, :count) n;
INSERT INTO feeds (key, requested_at, ingested_at, sha256, is_whole, entry_count, bad_count, uid_count, missing_count)
    SELECT 'feed/' || n, at, at, '', true, 1, 0, 1, 0
    FROM (SELECT n, '2026-05-01'::timestamp + n * interval '3 days' AS at FROM generate_series(0, 11) n) x;
INSERT INTO wager_accounts (uid, user_id, is_listed, total_wager, wager_today, wager_week, wager_month, read_at,
    highest, first_seen_at, first_read_at, first_total)
    SELECT uid, id, true, 1000 + id % 97, 0, 0, 0, CASE WHEN id % 10 = 0 THEN '2026-06-03'::timestamp
        ELSE '2026-05-31' END, 1000 + id % 97, '2026-05-01', '2026-05-01', 10 FROM users;
INSERT INTO wager_readings (account_id, requested_at, feed_id, total)
    SELECT a.id, f.requested_at, f.id, least(a.total_wager, 10 + f.id * 90.12345678)
    FROM feeds f, wager_accounts a WHERE f.requested_at < '2026-06-01' OR a.id % 10 = 0;
INSERT INTO link_periods (user_id, account_id, opening) SELECT user_id, id, 10 FROM wager_accounts;
INSERT INTO wheel_spins (user_id, segment_index, "timestamp", spin_day)
    SELECT u.id, 6, day, day::date FROM generate_series(0, 9) n, users u,
        LATERAL (SELECT '2026-04-20'::timestamp + n * interval '3 days' AS day) x;
INSERT INTO bonus_codes (id, code, code_key, expires_at, value, max_claims)
    SELECT n, 'code-' || n, 'CODE' || n, '2026-06-01', 1, NULL FROM generate_series(1, 4) n;
INSERT INTO code_claims (code_id, user_id, claimed_at)
    SELECT n, u.id, '2026-04-20'::timestamp + n * interval '7 days' FROM generate_series(1, 4) n, users u;
INSERT INTO rewards (user_id, source_type, source_id, amount, created_at)
    SELECT u.id, 'code', n, 1, '2026-04-20'::timestamp + n * interval '3 days' FROM generate_series(1, 10) n, users u;
INSERT INTO wager_races (title, type, status, prize_pool, start_date, end_date, min_wager, prize_distribution,
    settled_at, is_legacy)
    SELECT 'Race', 'weekly', 'completed', 1, '2026-05-01', '2026-05-08', 0, '{"1": 100}', '2026-05-08', false;
INSERT INTO wager_race_participants (race_id, user_id, member_key, total_wager, rank, is_listed)
    SELECT r.id, u.id, u.id, 1, u.id, true FROM wager_races r, users u WHERE u.id % 10 = 1
"""
EMPTY = ("TRUNCATE statements, outbox, notifications", "UPDATE link_periods SET closing = NULL", "VACUUM ANALYZE")


@dataclass(frozen=True)
class Turn:
    """The seconds of one turn, and the number of statements of SQL a batch."""

    whole: float
    again: float
    resumed: float
    copied: float
    copied_statements: float
    sent: float


class Subject:
    """Writes statements as the schedule does."""

    def __init__(self, url: str) -> None:
        """Connect as the function does."""
        self.engine = db.make_engine(url)
        self.sent = 0
        sa.event.listen(self.engine, "before_cursor_execute", self._note)
        with self.engine.connect() as connection:
            self.pid = int(connection.scalar(sa.text("SELECT pg_backend_pid()")) or 0)

    def _note(self, *_: object) -> None:
        self.sent += 1

    def write(self, most: int = sys.maxsize) -> tuple[int, int]:
        """Write so many batches at most; return the number of statements written and of batches."""
        with self.engine.begin() as connection:
            bounds = months.find_bounds(connection, MAY)
        written, batches, after = 0, 0, 0
        while batches < most:
            with self.engine.begin() as connection:
                batch = writing.write_batch(connection, bounds, after, now=NOW)
            written, batches = written + batch.written, batches + 1
            if batch.next_after is None:
                break
            after = batch.next_after
        return written, batches

    def seconds(self, expected: int) -> float:
        """Write all, and return the seconds.

        Raises
        ------
        RuntimeError: it wrote another number of statements.
        """
        written: list[int] = []
        seconds = measure(self.pid, lambda: written.append(self.write()[0]))
        if written != [expected]:
            raise RuntimeError(f"{written} statements were written, and not {expected}")
        return seconds


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
        subject = Subject(server.url("postgres", "jobs"))
        peer = psycopg.connect(server.url("postgres", "jobs"))
        turns = [take_turn(database, subject, peer) for _ in range(ROUNDS + 1)][1:]  # the first warms up
        peer.close()
        subject.engine.dispose()
        database.dispose()
    print_heading()
    return int(show_all(lines(turns)))


def take_turn(database: sa.Engine, subject: Subject, peer: Any) -> Turn:  # noqa: ANN401 - a connection of psycopg
    """Measure everything once, each from empty tables."""
    empty(database)
    subject.sent = 0
    whole = subject.seconds(COUNT)
    batches = -(-COUNT // writing.BATCH) + (COUNT % writing.BATCH == 0)
    sent = (subject.sent - 1) / batches  # without the one that finds the bounds
    rows = {table: peer.execute(f"SELECT * FROM {table}").fetchall() for table in WRITTEN}  # noqa: S608 - constants
    peer.commit()
    again = subject.seconds(0)
    empty(database)
    half, _ = subject.write(-(-COUNT // writing.BATCH) // 2)
    resumed = subject.seconds(COUNT - half)
    empty(database)
    copied = measure(peer.info.backend_pid, lambda: copy(peer, rows))
    empty(database)
    own = measure(peer.info.backend_pid, lambda: copy(peer, {"statements": rows["statements"]}))
    return Turn(whole, again, resumed, copied, own, sent)


def empty(database: sa.Engine) -> None:
    """Undo what runs have written."""
    with database.connect() as connection:
        for statement in EMPTY:
            connection.exec_driver_sql(statement)


def copy(peer: Any, rows: dict[str, list[tuple[object, ...]]]) -> None:  # noqa: ANN401 - a connection of psycopg
    """Copy finished rows into their tables in one transaction."""
    json = importlib.import_module("psycopg.types.json")
    with peer.transaction(), peer.cursor() as cursor:
        for table, of_table in rows.items():
            with cursor.copy(f"COPY {table} FROM STDIN") as target:
                for row in of_table:
                    target.write_row([json.Jsonb(value) if isinstance(value, dict | list) else value for value in row])


def lines(turns: list[Turn]) -> list[Line]:
    """Return the lines of the result."""

    def ratio(what: str, name: str, copied: str, must: float | None) -> Line:
        own, peer = ([getattr(turn, each) for turn in turns] for each in (name, copied))
        measured = statistics.median(one / other for one, other in zip(own, peer, strict=True))
        seconds = f"{statistics.median(own):.2f} and {statistics.median(peer):.2f} s"
        return Line(what, measured, must, None, max(peer) / min(peer), seconds)

    return [
        ratio(f"{COUNT:,} members ÷ COPY of the statements only", "whole", "copied_statements", MAX_COPIES),
        ratio("÷ COPY of the mail and the inbox too", "whole", "copied", None),
        ratio("a run that finds all statements", "again", "copied_statements", MAX_COPIES),
        ratio("the rest, after half of the batches", "resumed", "copied_statements", MAX_COPIES),
        Line("statements of SQL a batch", max(turn.sent for turn in turns), 1),
    ]


if __name__ == "__main__":
    sys.exit(main())

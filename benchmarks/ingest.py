"""Ingest of a feed of 100,000 entries compared with json.loads and psycopg's COPY of the same rows into a plain table.

`make bench WHAT=ingest`. All take the text of one answer, in turns. Staging is parsing and COPY into `feed_entries`;
the whole is what ingest_wagers does up to the commit: wholeness, newcomers, figures of members and accounts,
readings, and scores and ranks of a race in which all members are. Every account is linked and has a total; one of ten
has figures of the day, the week and the month, as in the platform's real feed. Seconds are the processor's, of this
process and of its server process together, because other work on the machine changes them less. ROUNDS=… takes
another number of turns. The status is 1 if a limit is missed.
"""

import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy as sa

from benchmarks.processor import measure
from benchmarks.report import Line, print_heading, show_all
from benchmarks.subjects import install_group
from database.embedded import Server, running
from goatedvips import db
from goatedvips.domain.wagers.feed import FeedPage, parse_feed
from goatedvips.domain.wagers.ingest import ingest_feed
from goatedvips.domain.wagers.staging import stage
from migrations.roles_and_timeouts import ensure_roles
from migrations.upgrade import engine, upgrade

COUNT, ROUNDS = int(os.environ.get("COUNT", "100000")), int(os.environ.get("ROUNDS", "5"))
START = datetime(2026, 11, 1, tzinfo=UTC)
STEP = timedelta(minutes=10)
FILLING = """
INSERT INTO users (username, password, email, uid)
    SELECT 'user-' || n, '$argon2id$' || n, n || '@example.com', 'uid-' || n FROM generate_series(1, {count}) n;
INSERT INTO wager_races (
    title, type, status, prize_pool, start_date, end_date, min_wager, prize_distribution, is_legacy
) VALUES ('November', 'monthly', 'live', 1000, '{start:%Y-%m-%d}', '2026-12-01', 1, '{{"1": 100}}', false);
INSERT INTO wager_race_participants (race_id, user_id, member_key, total_wager)
    SELECT wager_races.id, users.id, users.id, 0 FROM wager_races, users;
CREATE TABLE plain (uid text, name text, total numeric, today numeric, week numeric, month numeric);
GRANT ALL ON plain TO jobs
"""
COPY = "COPY plain FROM STDIN"
COLUMNS = ("all_time", "today", "this_week", "this_month")


class Affiliate:
    """Makes the answers of an affiliate whose accounts wager."""

    def __init__(self, count: int) -> None:
        """Give every account a total; one of ten has wagered this month."""
        self._random = Random(1)  # noqa: S311 - nothing is secret here
        draw = self._random.expovariate
        self._accounts = [[draw(1 / 1000), *[draw(1 / 100) * (n % 10 == 0) for _ in range(3)]] for n in range(count)]
        self._number = 0

    def answer(self, share: float) -> str:
        """Return the next answer: so many of the accounts have wagered since the last one."""
        for figures in self._accounts:
            if self._random.random() < share:
                wagered = self._random.expovariate(1 / 50)
                figures[:] = [figure + wagered if figure else figure for figure in figures]
        entries = [
            {
                "uid": f"uid-{n}",
                "name": f"player-{n:06d}",
                "wagered": dict(zip(COLUMNS, (figure or 0 for figure in figures), strict=True)),
            }
            for n, figures in enumerate(self._accounts, 1)
        ]
        self._number += 1
        return json.dumps({"success": True, "data": entries})

    @property
    def requested_at(self) -> datetime:
        """When the last answer was asked for."""
        return START + self._number * STEP


class Subject:
    """Ingests answers as the function's handler does, and measures the processor's seconds."""

    def __init__(self, url: str) -> None:
        """Make the function's engine."""
        self.engine = db.make_engine(url)
        self.statements: list[str] = []
        sa.event.listen(self.engine, "before_cursor_execute", self._note)

    def _note(self, _: object, __: object, statement: str, *___: object) -> None:
        self.statements.append(statement)

    def connect(self) -> int:
        """Connect, and return the id of the server process."""
        with self.engine.connect() as connection:
            return int(connection.scalar(sa.text("SELECT pg_backend_pid()")) or 0)

    def stage(self, body: str) -> float:
        """Parse and copy, then roll back; return the seconds of the first two."""
        with self.engine.connect() as connection, connection.begin() as transaction:
            pid = int(connection.scalar(sa.text("SELECT pg_backend_pid()")) or 0)
            seconds = measure(pid, lambda: stage(connection, parse_feed([FeedPage(1, 200, body)])))
            transaction.rollback()
        return seconds

    def ingest(self, body: str, requested_at: datetime) -> float:
        """Ingest, and return the seconds."""
        pid = self.connect()
        self.statements.clear()
        return measure(pid, lambda: self._ingest(body, requested_at))

    def _ingest(self, body: str, requested_at: datetime) -> None:
        key = f"feed/{requested_at:%Y/%m/%d/%Y%m%dT%H%M%S}000Z-00000000.jsonl.gz"
        feed = parse_feed([FeedPage(1, 200, body)])
        with self.engine.begin() as connection:
            report = ingest_feed(connection, now=requested_at, key=key, sha256="", feed=feed)
        if not report.is_whole or report.races != 1:
            raise RuntimeError(f"not what is measured: {report}")


def copy(peer: Any, body: str) -> None:  # noqa: ANN401 - a connection of psycopg
    """Do what any ingest has to do at least: parse the answer, and copy its rows into a table."""
    with peer.transaction(), peer.cursor() as cursor, cursor.copy(COPY) as target:
        for entry in json.loads(body)["data"]:
            target.write_row((entry["uid"], entry["name"], *(entry["wagered"][name] for name in COLUMNS)))


INGEST_ALONE = """
import sys
from datetime import datetime
from pathlib import Path
from benchmarks.ingest import Subject

def peak():
    # Not getrusage: its peak is that of the process that started this one, too.
    return 1024 * int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])

subject = Subject(sys.argv[1])
subject.connect()
before = peak()
body = sys.stdin.read()
size = len(body)
subject.ingest(body, datetime.fromisoformat(sys.argv[2]))
print((peak() - before) / size)
"""


def peak_memory(server: Server, body: str, requested_at: datetime) -> float:
    """Return how far an ingest raises the memory of a new process, in sizes of the feed."""
    command = [sys.executable, "-c", INGEST_ALONE, server.url("postgres", "jobs"), requested_at.isoformat()]
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, input=body, text=True, capture_output=True, check=True, env=path)
    return float(done.stdout)


@dataclass
class Turn:
    """The seconds of one turn."""

    copied: float
    copied_again: float
    staged: float
    whole: float
    tenth: float


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
            for statement in FILLING.format(count=COUNT, start=START).split(";"):
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql("VACUUM ANALYZE")
        subject, affiliate = Subject(server.url("postgres", "jobs")), Affiliate(COUNT)
        peer = psycopg.connect(server.url("postgres", "jobs"))
        turns = []
        for turn in range(ROUNDS + 2):
            measured = take_turn(subject, peer, affiliate)
            with database.connect() as connection:
                for statement in ("TRUNCATE plain", "VACUUM ANALYZE"):
                    connection.exec_driver_sql(statement)
            if turn > 1:  # the first inserts the accounts, and the second is the first of the race
                turns.append(measured)
        memory = peak_memory(server, affiliate.answer(1), affiliate.requested_at)
        peer.close()
        subject.engine.dispose()
        database.dispose()
    print_heading()
    return int(show_all(lines(turns, len(subject.statements), memory)))


def take_turn(subject: Subject, peer: Any, affiliate: Affiliate) -> Turn:  # noqa: ANN401 - a connection of psycopg
    """Measure everything once."""
    pid = peer.info.backend_pid
    body = affiliate.answer(1)
    copied = measure(pid, partial(copy, peer, body))
    staged = subject.stage(body)
    whole = subject.ingest(body, affiliate.requested_at)
    copied_again = measure(pid, partial(copy, peer, body))
    return Turn(copied, copied_again, staged, whole, subject.ingest(affiliate.answer(0.1), affiliate.requested_at))


def lines(turns: list[Turn], statements: int, memory: float) -> list[Line]:
    """Return the lines of the result."""
    noise = max(max(turn.copied, turn.copied_again) / min(turn.copied, turn.copied_again) for turn in turns)
    copied = statistics.median(turn.copied for turn in turns)

    def ratio(what: str, name: str, must: float, moonshot: float) -> Line:
        ratios = [getattr(turn, name) / statistics.mean((turn.copied, turn.copied_again)) for turn in turns]
        seconds = statistics.median(getattr(turn, name) for turn in turns)
        return Line(what, statistics.median(ratios), must, moonshot, noise, f"{seconds:.2f} and {copied:.2f} s")

    return [
        ratio("staging ÷ json.loads and COPY", "staged", 1.3, 1.0),
        ratio("the whole, all changed ÷ json.loads and COPY", "whole", 8, 6),
        ratio("the whole, a tenth changed", "tenth", 4, 2.5),
        Line("statements of the whole", statements, 10, 6),
        Line("peak memory ÷ size of the feed", memory, 8, 3),
    ]


if __name__ == "__main__":
    sys.exit(main())

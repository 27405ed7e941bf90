"""A campaign to 100,000 subscribers is queued, compared with psycopg's COPY of the rows that this writes.

`make bench WHAT=campaigns`. Queueing finds out who gets it: of the subscriptions some have ended, and some addresses
bounced, complained, or are those of members who are excluded from play or want no mail. One exclusion is remembered of
an erased member, so each address is hashed. Then it writes a row of the outbox for each other address. COPY writes the
same rows into the same table, with its indexes and foreign keys. Both are measured in turns. Seconds are of the
processor, of this process and its server process together, because they depend less on what else the machine does.
COUNT=… and ROUNDS=… take other numbers. The status is 1 if a limit is missed.
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
from goatedvips.domain.newsletter import queueing
from migrations.roles_and_timeouts import ensure_roles
from migrations.upgrade import engine, upgrade

COUNT, ROUNDS = int(os.environ.get("COUNT", "100000")), int(os.environ.get("ROUNDS", "3"))
FEW = 100  # subscribers of the campaign whose statements are counted too
MAX_COPIES = 4
SEND_AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
RUN_AT = SEND_AT + timedelta(seconds=30)

# Every tenth subscriber has an account. Of a hundred subscriptions one has ended, and one address is blocked.
SUBSCRIBERS = """
INSERT INTO newsletter_subscriptions (email, email_key, is_subscribed, confirmed_at, unsubscribed_at)
    SELECT email, email, n % 100 <> 1, '2026-01-01', CASE WHEN n % 100 = 1 THEN '2026-02-01'::timestamp END
    FROM (SELECT n, 'fan-' || n || '@example.com' AS email FROM generate_series(1, {count}) n) x;
INSERT INTO users (username, username_key, email, email_key, password, email_verified, excluded_permanently)
    SELECT 'fan-' || n, 'fan-' || n, email, email, 'unusable', true, n % 500 = 0
    FROM (SELECT n, 'fan-' || n || '@example.com' AS email FROM generate_series(10, {count}, 10) n) x;
INSERT INTO notification_preferences (user_id, email_notifications)
    SELECT id, id % 20 <> 0 FROM users;
INSERT INTO mail_blocks (email_key, bounced_at)
    SELECT 'fan-' || n || '@example.com', '2026-03-01' FROM generate_series(2, {count}, 100) n;
INSERT INTO erased_identities (identity, excluded_permanently, erased_at)
    VALUES (identity_hash('email', 'gone@example.com'), true, '2026-03-01')
"""
NEW_CAMPAIGN = """
INSERT INTO campaigns (audience, subject, body, html, plain_text, send_at, status, created_at, updated_at)
    VALUES ('newsletter', 's', 'b', '<p>b</p>', 'b', :send_at, 'scheduled', :send_at, :send_at) RETURNING id
"""
COLUMNS = "kind, priority, address, payload, campaign_id, created_at, due_at"
ROWS = f"SELECT {COLUMNS} FROM outbox WHERE campaign_id = %s"  # noqa: S608 - a constant


@dataclass
class Subject:
    """Queues campaigns as the schedule does, and notes the statements."""

    engine: sa.Engine
    statements: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Note each statement."""
        sa.event.listen(self.engine, "before_cursor_execute", lambda *given: self.statements.append(given[2]))

    def queue(self) -> float:
        """Queue the campaign that is due, and return the seconds."""
        with self.engine.connect() as connection:
            pid = int(connection.scalar(sa.text("SELECT pg_backend_pid()")) or 0)
        self.statements.clear()
        return measure(pid, self._queue)

    def _queue(self) -> None:
        with self.engine.begin() as connection:
            (due,) = queueing.find_due(connection, now=RUN_AT)
        with self.engine.begin() as connection:
            if not queueing.queue(connection, due, now=RUN_AT):
                raise RuntimeError("nothing was queued")


class Peer:
    """Copies the rows of a campaign with psycopg into the outbox, as those of another campaign."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - a connection of psycopg
        """Take over the connection."""
        self.connection = connection

    def seconds(self, campaign_id: int, other_id: int) -> float:
        """Copy the rows of a campaign, and return the seconds."""
        json = importlib.import_module("psycopg.types.json")
        found = self.connection.execute(ROWS, [campaign_id]).fetchall()
        rows = [(*row[:3], json.Jsonb({"campaign_id": other_id}), other_id, *row[5:]) for row in found]
        self.connection.commit()
        return measure(self.connection.info.backend_pid, lambda: self._copy(rows))

    def _copy(self, rows: list[tuple[object, ...]]) -> None:
        copy = f"COPY outbox ({COLUMNS}) FROM STDIN"
        with self.connection.transaction(), self.connection.cursor() as cursor, cursor.copy(copy) as target:
            for row in rows:
                target.write_row(row)


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
        peer = Peer(psycopg.connect(server.url("postgres", "jobs")))
        measured, counted = queue_all(database, server, peer)
        peer.connection.close()
        database.dispose()
    return int(show_all(lines(measured, counted)))


def queue_all(database: sa.Engine, server: Server, peer: Peer) -> tuple[list[tuple[float, float, float]], set[int]]:
    """Return the seconds of COPY, of queueing and of COPY again in each turn, and the numbers of statements."""
    subject = Subject(db.make_engine(server.url("postgres", "jobs")))
    measured, counted = [], set()
    for turn in range(ROUNDS + 2):
        fill(database, FEW if turn == 0 else COUNT)
        own, first, second = (new_campaign(database) for _ in range(3))
        with database.connect() as connection:
            connection.execute(sa.text("UPDATE campaigns SET status = 'draft' WHERE id > :own"), {"own": own})
        queued = subject.queue()
        counted.add(len(subject.statements))
        copied, copied_again = peer.seconds(own, first), peer.seconds(own, second)
        if turn > 1:  # the first is small, and the second warms up
            measured.append((copied, queued, copied_again))
    subject.engine.dispose()
    return measured, counted


def fill(database: sa.Engine, count: int) -> None:
    """Make the tables as they are before a campaign to so many subscribers."""
    with database.connect() as connection:
        tables = "outbox, campaigns, newsletter_subscriptions, notification_preferences, mail_blocks, erased_identities"
        connection.exec_driver_sql(f"TRUNCATE {tables}, users CASCADE")
        for statement in SUBSCRIBERS.format(count=count).split(";"):
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("VACUUM ANALYZE")


def new_campaign(database: sa.Engine) -> int:
    """Insert a campaign that is scheduled, and return its id."""
    with database.connect() as connection:
        send_at = SEND_AT.replace(tzinfo=None)
        return int(connection.execute(sa.text(NEW_CAMPAIGN), {"send_at": send_at}).scalar_one())


def lines(measured: list[tuple[float, float, float]], counted: set[int]) -> list[Line]:
    """Return the lines of the result."""
    print_heading()
    ratios = [queued / statistics.mean((copied, again)) for copied, queued, again in measured]
    noise = max(max(copied, again) / min(copied, again) for copied, _, again in measured)
    copied, queued, _ = (statistics.median(seconds) for seconds in zip(*measured, strict=True))
    statements = f"{min(counted)} for {FEW} subscribers, {max(counted)} for {COUNT:,}"
    return [
        Line("queueing ÷ COPY", statistics.median(ratios), MAX_COPIES, None, noise, f"{queued:.2f} and {copied:.2f} s"),
        Line("statements, most ÷ fewest", max(counted) / min(counted), 1, None, 1.0, statements),
    ]


if __name__ == "__main__":
    sys.exit(main())

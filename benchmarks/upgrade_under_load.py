"""How long writers wait while a database of a million members is upgraded (`make bench WHAT=upgrade_under_load`).

A server of its own, which is gone afterwards, has the guide's ten tables with rows in proportion, some of them equal
but for case.  Four writers insert and update in all ten as the legacy application does, first without an upgrade,
then during it.  The benchmark prints the longest wait of each kind of write.  The status is 1 if a write failed, if a
write waited over a second other than for the back-fill, or if another row than the oldest of equal ones has the key.

`USERS=100000` makes it smaller.  Other work on the machine adds to the waits; the column `no upgrade` shows how much.
It takes some minutes and 3 GB of disk.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from database.embedded import running
from migrations.upgrade import engine

ROOT = Path(__file__).resolve().parent.parent

USERS = int(os.environ.get("USERS", "1000000"))
WRITERS = 4
BEFORE_SECONDS = 10.0
LONGEST = 1.0

# Every thousandth member and address reads as the one before; some members spin or take part twice.
ROWS = """
INSERT INTO users (username, password, email, uid, last_active)
    SELECT CASE WHEN n % 1000 = 0 THEN 'MEMBER' || n - 1 ELSE 'Member' || n END, 'hash.salt',
        CASE WHEN n % 1000 = 0 THEN 'M' || n - 1 || '@EXAMPLE.com' ELSE 'm' || n || '@example.com' END, 'uid' || n,
        now()
    FROM generate_series(1, {users}) n;
INSERT INTO wheel_spins (user_id, segment_index, timestamp)
    SELECT 1 + n % {users}, n % 16, timestamp '2026-01-01' + n % 7 * interval '1 hour'
    FROM generate_series(1, {users}) n;
INSERT INTO wheel_spins (user_id, segment_index, timestamp)
    SELECT n, 0, timestamp '2026-01-01 23:00' FROM generate_series(1, {users}, 100) n;
INSERT INTO bonus_codes (code, user_id, expires_at, is_used)
    SELECT CASE WHEN n % 1000 = 0 THEN 'code ' || n - 1 ELSE 'CODE-' || n END, n, '2027-01-01', n % 2 = 0
    FROM generate_series(1, {users} / 5) n;
INSERT INTO wager_races (title, type, status, prize_pool, start_date, end_date, min_wager, prize_distribution)
    SELECT 'Race ' || n, 'weekly', 'completed', 500, timestamp '2020-01-01' + n * interval '7 days',
        timestamp '2020-01-08' + n * interval '7 days', 0, '{{"1": 60}}' FROM generate_series(1, 500) n;
INSERT INTO wager_race_participants (race_id, user_id, total_wager)
    SELECT 1 + n % 500, 1 + n % {users}, n % 1000 FROM generate_series(1, {users} / 2) n;
INSERT INTO wager_race_participants (race_id, user_id, total_wager)
    SELECT 1 + n % 500, 1 + n % {users}, 0 FROM generate_series(1, {users} / 2, 500) n;
INSERT INTO historical_races
    (month, year, prize_pool, start_date, end_date, participants, total_wagered, participant_count)
    SELECT '01', 2000 + n, 1, '2020-01-01', '2020-02-01', '[]', 1, '0' FROM generate_series(1, 60) n;
INSERT INTO support_tickets (user_id, subject, description)
    SELECT n, 'Help', '' FROM generate_series(1, {users} / 20) n;
INSERT INTO ticket_messages (ticket_id, user_id, message) SELECT n, n, '' FROM generate_series(1, {users} / 20) n;
INSERT INTO newsletter_subscriptions (email)
    SELECT CASE WHEN n % 1000 = 0 THEN 'N' || n - 1 || '@X.com' ELSE 'n' || n || '@x.com' END
    FROM generate_series(1, {users} / 5) n;
INSERT INTO notification_preferences DEFAULT VALUES;
"""

# The rows that have the key and should not, or the other way round.
MISPLACED = {
    "users.username_key": "SELECT username_key AS key, lower(username) AS wanted, 0 AS scope, id FROM users",
    "users.email_key": "SELECT email_key AS key, lower(email) AS wanted, 0 AS scope, id FROM users",
    "wheel_spins.spin_day": "SELECT spin_day AS key, timestamp::date AS wanted, user_id AS scope, id FROM wheel_spins",
    "wager_race_participants.member_key": (
        "SELECT member_key AS key, user_id AS wanted, race_id AS scope, id FROM wager_race_participants"
    ),
    "bonus_codes.code_key": "SELECT code_key AS key, code_key(code) AS wanted, 0 AS scope, id FROM bonus_codes",
    "newsletter_subscriptions.email_key": (
        "SELECT email_key AS key, lower(email) AS wanted, 0 AS scope, id FROM newsletter_subscriptions"
    ),
}

Write = Callable[[Connection, int], None]


def sql(statement: str) -> Write:
    """Send one statement about a member, with a number of its own."""

    def write(connection: Connection, member: int) -> None:
        number = random.randint(1, 2**62)  # noqa: S311 nothing secret
        connection.exec_driver_sql(statement.format(member=member, code=1 + member // 6, number=number))

    return write


def play(connection: Connection, member: int) -> None:
    """Spin as an application does: some statements in one transaction, with work of its own between them."""
    sql("BEGIN")(connection, member)
    try:
        OTHERS["insert wheel_spins"](connection, member)
        time.sleep(0.02)
        UPDATES["update users"](connection, member)
    finally:
        sql("COMMIT")(connection, member)


# Of rows that may be among those being filled at that moment.
UPDATES: dict[str, Write] = {
    "update users": sql("UPDATE users SET last_active = now(), wager_today = wager_today + 1 WHERE id = {member}"),
    "update bonus_codes": sql("UPDATE bonus_codes SET is_used = true, claimed_at = now() WHERE id = {code}"),
    "update wager_race_participants": sql(
        "UPDATE wager_race_participants SET total_wager = total_wager + 1 WHERE id = {code}"
    ),
    "update newsletter_subscriptions": sql(
        "UPDATE newsletter_subscriptions SET is_subscribed = false, unsubscribed_at = now() WHERE id = {code}"
    ),
    "spin, then update users": play,
}
OTHERS: dict[str, Write] = {
    "insert users": sql("INSERT INTO users (username, password, email) VALUES ('New{number}', 'x', 'N{number}@x.com')"),
    "insert users, equal": sql(
        "INSERT INTO users (username, password, email) VALUES ('mEMBER{member}', 'x', '{number}@x.com')"
        " ON CONFLICT DO NOTHING"
    ),
    "insert wheel_spins": sql("INSERT INTO wheel_spins (user_id, segment_index) VALUES ({member}, 0)"),
    "insert bonus_codes": sql(
        "INSERT INTO bonus_codes (code, user_id, expires_at) VALUES ('new-{number}', {member}, '2027-01-01')"
    ),
    "insert wager_races": sql(
        "INSERT INTO wager_races (title, type, status, prize_pool, start_date, end_date, min_wager, prize_distribution)"
        " VALUES ('New', 'weekly', 'live', 1, now(), '2999-01-01', 0, '{{}}')"
    ),
    "update wager_races": sql("UPDATE wager_races SET updated_at = now() WHERE id = 1 + {number} % 500"),
    "insert wager_race_participants": sql(
        "INSERT INTO wager_race_participants (race_id, user_id, total_wager) VALUES (1 + {number} % 500, {member}, 0)"
    ),
    "insert historical_races": sql(
        "INSERT INTO historical_races"
        " (month, year, prize_pool, start_date, end_date, participants, total_wagered, participant_count)"
        " VALUES ('1', '2026', 1, now(), now(), '[]', 1, '0')"
    ),
    "insert support_tickets": sql(
        "INSERT INTO support_tickets (user_id, subject, description) VALUES ({member}, 'Help', '')"
    ),
    "update support_tickets": sql("UPDATE support_tickets SET status = 'closed' WHERE id = 1 + {member} / 25"),
    "insert ticket_messages": sql(
        "INSERT INTO ticket_messages (ticket_id, user_id, message) VALUES (1 + {member} / 25, {member}, '')"
    ),
    "insert newsletter_subscriptions": sql("INSERT INTO newsletter_subscriptions (email) VALUES ('N{number}@x.com')"),
    "insert notification_preferences": sql("INSERT INTO notification_preferences DEFAULT VALUES"),
    "update notification_preferences": sql("UPDATE notification_preferences SET updated_at = now() WHERE id = 1"),
}
EVERY = {**UPDATES, **OTHERS}


@dataclass
class Waits:
    """What writers met."""

    count: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    longest: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    failures: list[str] = field(default_factory=list)

    def note(self, kind: str, seconds: float) -> None:
        """Count a write."""
        self.count[kind] += 1
        self.longest[kind] = max(self.longest[kind], seconds)


@contextmanager
def writing(url: str, users: int, kinds: Mapping[str, Write] = EVERY) -> Iterator[Waits]:
    """Write to all ten tables, from several connections, until the block ends."""
    waits, ended = Waits(), Event()

    def write() -> None:
        with engine(url).connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not ended.is_set():
                for kind, one in kinds.items():
                    begun = time.monotonic()
                    try:
                        one(connection, random.randint(1, users))  # noqa: S311 nothing secret
                    except SQLAlchemyError as error:
                        waits.failures.append(f"{kind}: {error}")
                    waits.note(kind, time.monotonic() - begun)
                    time.sleep(0.005)

    threads = [Thread(target=write) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield waits
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def prepare(url: str, users: int) -> None:
    """Make the guide's tables and fill them."""
    with engine(url).connect() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(ROOT / "migrations"))
        command.upgrade(config, "guide_tables")
        connection.exec_driver_sql("DROP TABLE alembic_version")
        connection.exec_driver_sql(ROWS.format(users=users))
        connection.commit()


def upgrade(url: str) -> None:
    """Upgrade in a process of its own: a writer never waits for Python here."""
    environment = os.environ | {"DATABASE_URL": url, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'shared'}"}
    subprocess.run([sys.executable, "-m", "migrations.upgrade"], env=environment, check=True)


def misplaced_keys(url: str) -> dict[str, int]:
    """How many rows of each key have it though an older one reads the same, or are without though none does."""
    query = """
        SELECT count(*) FROM (
            SELECT key, wanted, row_number() OVER (PARTITION BY scope, wanted ORDER BY id) = 1 AS is_oldest
            FROM ({rows}) r WHERE wanted IS NOT NULL AND scope IS NOT NULL
        ) r WHERE is_oldest <> (key IS NOT DISTINCT FROM wanted)
    """
    with engine(url).connect() as connection:
        found = {key: int(connection.scalar(text(query.format(rows=rows))) or 0) for key, rows in MISPLACED.items()}
    return {key: count for key, count in found.items() if count}


def main() -> int:
    """Measure, print a table, and return the process's status."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), durable=False) as server:
        url = server.url("postgres")
        prepare(url, USERS)
        with writing(url, USERS) as before:
            time.sleep(BEFORE_SECONDS)
        begun = time.monotonic()
        with writing(url, USERS) as during:
            upgrade(url)
        seconds = time.monotonic() - begun
        misplaced = misplaced_keys(url)
    print(
        f"{'longest wait for':36}{'no upgrade':>12}{'upgrade':>10}{'writes':>9}   ({USERS} members in {seconds:.0f} s)"
    )
    for kind in EVERY:
        above = "   above" if kind in OTHERS and during.longest[kind] > LONGEST else ""
        print(f"{kind:36}{before.longest[kind]:10.3f} s{during.longest[kind]:8.3f} s{during.count[kind]:9}{above}")
    print(
        *before.failures[:5],
        *during.failures[:5],
        *(f"{key}: {count} misplaced" for key, count in misplaced.items()),
        sep="\n",
    )
    too_long = any(during.longest[kind] > LONGEST for kind in OTHERS)
    return int(too_long or bool(before.failures or during.failures or misplaced))


if __name__ == "__main__":
    sys.exit(main())

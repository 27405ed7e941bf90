"""An upgrade of a database that is in use: whoever writes hardly waits, and whatever happens the end is the same."""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from benchmarks import upgrade_under_load as load
from database.embedded import Server
from migrations import online
from migrations.upgrade import engine, upgrade
from tests.support.databases import GUIDE_ROWS, GUIDE_SQL, dump, run_sql

MIGRATIONS = Path(online.__file__).parent
REVISIONS = [step.revision for step in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
USERS = 20_000
CUT_OFF = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


@pytest.fixture(scope="module")
def newest(bare_server: Server) -> list[str]:
    """The schema that an empty database ends in."""
    with engine(bare_server.url("postgres")).connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        autocommit.execute(text("DROP DATABASE IF EXISTS newest"))
        autocommit.execute(text("CREATE DATABASE newest"))
    upgrade(bare_server.url("newest"))
    return dump(bare_server.url("newest"))


@contextmanager
def upgrading(url: str) -> Iterator[Future[None]]:
    """Upgrade while the block runs."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(upgrade, url)


def upgrade_to(url: str, revision: str) -> None:
    with engine(url).connect() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        command.upgrade(config, revision)


@pytest.mark.parametrize(
    ("revision", "adopted"),
    [
        *(pytest.param(revision, True, id=f"{revision}-adopted") for revision in REVISIONS),
        *(pytest.param(revision, False, id=f"{revision}-empty") for revision in REVISIONS[::5]),
    ],
)
def test_the_end_is_the_same_from_every_revision(url: str, newest: list[str], revision: str, adopted: bool) -> None:
    if adopted:
        run_sql(url, GUIDE_SQL)
        run_sql(url, GUIDE_ROWS)
    upgrade_to(url, revision)
    upgrade(url)
    assert dump(url) == newest


def test_the_end_is_the_same_however_often_it_was_cut_off(url: str, database: Engine, newest: list[str]) -> None:
    load.prepare(url, 3000)
    cut_off = 0
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while True:
            with upgrading(url) as running:
                time.sleep(0.1 * cut_off)
                while not running.done() and not connection.execute(text(CUT_OFF)).all():
                    time.sleep(0.01)
            if running.exception() is None:
                break
            cut_off += 1
        rows = [
            connection.scalar(text(f"SELECT count(*) FROM {table}"))
            for table in ("wheel_versions", "tier_versions", "identity_key", "unsubscribe_keys")
        ]
        codes = (
            "SELECT count(*) FILTER (WHERE is_used), sum(claims), (SELECT count(*) FROM code_claims) FROM bonus_codes"
        )
        used, counted, claimed = connection.execute(text(codes)).one()
    assert cut_off >= 3
    assert dump(url) == newest
    assert load.misplaced_keys(url) == {}
    assert rows == [1, 1, 1, 1]
    assert used == counted == claimed > 0


def test_an_index_that_was_cut_off_is_built_anew(url: str, database: Engine, newest: list[str]) -> None:
    """What is left of it has its name, and is no index."""
    load.prepare(url, 10)
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for name in ("users_username_key_unique", "users_created_at_idx"):
            with pytest.raises(IntegrityError):
                connection.execute(text(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON users ((1))"))
    upgrade(url)
    assert dump(url) == newest


def test_writers_hardly_wait_and_the_oldest_rows_get_the_keys(url: str) -> None:
    """Nor does one of their writes fail, in any of the ten tables."""
    load.prepare(url, USERS)
    with load.writing(url, USERS) as waits:
        upgrade(url)
    assert waits.failures == []
    assert {kind: seconds for kind, seconds in waits.longest.items() if seconds > load.LONGEST} == {}
    assert load.misplaced_keys(url) == {}


@pytest.mark.parametrize(
    "blocker",
    [
        "SELECT FROM users, wheel_spins, bonus_codes, wager_races LIMIT 1",  # a report that nobody ends
        "INSERT INTO users (username, password, email) VALUES ('long', 'x', 'long')",
        "UPDATE users SET bio = '' WHERE id < 500; INSERT INTO wheel_spins (user_id, segment_index) VALUES (900, 0)",
        "LOCK TABLE users, bonus_codes IN SHARE UPDATE EXCLUSIVE MODE",  # as VACUUM does
    ],
    ids=["reader", "inserter", "updater", "vacuum"],
)
def test_the_upgrade_waits_for_an_open_transaction_and_writers_do_not(url: str, database: Engine, blocker: str) -> None:
    load.prepare(url, 1000)
    with database.connect() as open_transaction, upgrading(url) as running:
        open_transaction.exec_driver_sql(blocker)
        with load.writing(url, 1000, kinds=load.OTHERS) as waits:
            time.sleep(3)
            assert not running.done()
        open_transaction.commit()
        running.result(60)
    assert waits.failures == []
    assert {kind: seconds for kind, seconds in waits.longest.items() if seconds > load.LONGEST} == {}
    assert load.misplaced_keys(url) == {}


def test_rows_that_others_hold_are_filled_last(url: str, database: Engine) -> None:
    load.prepare(url, 3000)
    upgrade_to(url, "keys_for_adopted_rows")
    filled = text("SELECT count(*) FILTER (WHERE id < 500), count(*) FROM users WHERE username_key IS NOT NULL")
    with (
        database.connect() as holder,
        database.connect().execution_options(isolation_level="AUTOCOMMIT") as reader,
        upgrading(url) as running,
    ):
        holder.exec_driver_sql("SELECT FROM users WHERE id < 500 FOR UPDATE")
        give_up = time.monotonic() + 60
        while (found := tuple(reader.execute(filled).one())) != (0, 3000 - 499 - 3):
            assert time.monotonic() < give_up, found
            time.sleep(0.1)
        assert not running.done()
        holder.commit()
        running.result(60)
    assert load.misplaced_keys(url) == {}


def test_who_is_in_the_way_for_long_is_named(
    url: str, database: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    load.prepare(url, 10)
    monkeypatch.setattr(online, "REPORT_SECONDS", 0)
    monkeypatch.setattr(online, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(online, "PAUSE_SECONDS", 0.1)
    with database.connect() as reader:
        reader.exec_driver_sql("SET application_name = 'a report'; SELECT FROM users")
        pid = reader.scalar(text("SELECT pg_backend_pid()"))
        named = rf"users: waiting for process {pid} \(a report, idle in transaction, in a transaction for \d+ s\)"
        with caplog.at_level(logging.INFO), pytest.raises(CommandError, match=named + "; given up"):
            upgrade(url)
    assert f"process {pid} (a report" in caplog.text
    upgrade(url)
    assert load.misplaced_keys(url) == {}

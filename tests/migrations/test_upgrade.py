"""How migrations are applied: to the newest, once, one upgrade at a time, without holding others up."""

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError

from migrations import upgrade as upgrading
from migrations.online import LONGEST_WAIT
from migrations.upgrade import engine, upgrade
from tests.support.databases import config_for, run_sql

MIGRATIONS = Path(upgrading.__file__).parent
REVISION = """
from alembic import op
revision = "probe"
down_revision = "guide_tables"
def upgrade():
{body}
"""


@contextmanager
def apply_step(database: Engine, folder: Path, *body: str) -> Iterator[Connection]:
    """Apply a step of the test's own after the guide's tables."""
    (folder / "probe.py").write_text(REVISION.format(body="\n".join(f"    {line}" for line in body)))
    with database.connect() as connection:
        command.upgrade(config_for(connection, folder), "probe")
        yield connection


def test_models_and_migrations_agree(url: str, database: Engine) -> None:
    """`alembic check` finds nothing left to migrate."""
    upgrade(url)

    with database.connect() as connection:
        command.check(config_for(connection))


def test_an_adopted_database_agrees_too(guide_url: str, database: Engine) -> None:
    """Drizzle's tables and constraints carry the names that the models expect."""
    upgrade(guide_url)

    with database.connect() as connection:
        command.check(config_for(connection))


def test_steps_form_one_line_of_dated_files() -> None:
    """One head, and files in the order of their names."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)

    assert len(scripts.get_heads()) == 1
    for step in scripts.walk_revisions():
        assert Path(step.path).name[:11].count("_") == 3, step.path
        assert not hasattr(step.module, "downgrade"), step.path
        assert isinstance(step.down_revision, str) or step.revision == "guide_tables"


def test_a_second_upgrade_changes_nothing(url: str, database: Engine) -> None:
    """It goes through where nothing may be written."""
    upgrade(url)
    run_sql(url, f"ALTER DATABASE {database.url.database} SET default_transaction_read_only = on")

    upgrade(url)

    with database.connect() as connection, pytest.raises(ProgrammingError, match="read-only transaction"):
        connection.execute(text("DELETE FROM users"))


def test_upgrades_at_once_take_turns(url: str, database: Engine) -> None:
    """Four start together on an empty database: one migrates, the others find it done."""
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(upgrade, [url] * 4))

    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1


def test_an_upgrade_that_never_ends_is_named(url: str, database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one gives up with a sentence."""
    monkeypatch.setattr(upgrading, "LOCK_PATIENCE_SECONDS", 0.3)
    with database.connect() as other:
        other.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": upgrading.LOCK})
        with pytest.raises(CommandError, match="another upgrade"):
            upgrade(url)


def test_the_clock_becomes_utc(url: str, database: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """`now()` into a column without time zone is UTC from then on, wherever the server stands."""
    run_sql(url, f"ALTER DATABASE {database.url.database} SET timezone TO 'America/New_York'")

    upgrade(url)

    assert "America/New_York becomes UTC" in caplog.text
    with database.connect() as connection:
        assert connection.scalar(text("SHOW timezone")) == "UTC"
        assert connection.scalar(text("SELECT now()::timestamp = now() AT TIME ZONE 'UTC'"))


def test_a_plain_step_gives_up_at_once_on_a_lock(database: Engine, tmp_path: Path) -> None:
    """Each step's transaction has the limit; an autocommit block, for indexes made concurrently, has none."""
    steps = (
        "op.execute(\"CREATE TABLE limits AS SELECT current_setting('lock_timeout') AS inside\")",
        "with op.get_context().autocommit_block():",
        '    op.execute("CREATE INDEX CONCURRENTLY limits_inside_index ON limits (inside)")',
        '    op.execute("ALTER TABLE limits ADD outside text")',
        "    op.execute(\"UPDATE limits SET outside = current_setting('lock_timeout')\")",
    )

    with apply_step(database, tmp_path, *steps) as connection:
        limits = connection.execute(text("SELECT inside, outside FROM limits")).one()
        valid = connection.scalar(
            text("SELECT indisvalid FROM pg_index WHERE indexrelid = 'limits_inside_index'::regclass")
        )

    assert tuple(limits) == (LONGEST_WAIT, "0")
    assert valid


def test_a_failing_step_leaves_the_steps_before_it(database: Engine, tmp_path: Path) -> None:
    """Each step is a transaction of its own: what succeeded stays, what failed is gone entirely."""
    steps = ('op.execute("CREATE TABLE half_done ()")', 'op.execute("SELECT 1 / 0")')

    with pytest.raises(ProgrammingError, match="division by zero"), apply_step(database, tmp_path, *steps):
        pass

    with database.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "guide_tables"
        assert connection.scalar(text("SELECT to_regclass('half_done')")) is None


def test_another_host_is_reached_over_verified_tls() -> None:
    """Its certificate is checked, whatever the URL says about TLS; the server on this machine needs none."""
    far = engine("postgresql://me:secret@db.example.com/goatedvips?sslmode=disable").url
    near = engine("postgresql://me@127.0.0.1/goatedvips").url

    assert upgrading.connect_arguments(far)["ssl_context"].verify_mode is ssl.CERT_REQUIRED
    assert upgrading.connect_arguments(near) == {}
    assert dict(far.query) == {}

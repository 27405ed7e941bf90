"""Databases for the tests of migrations and of `db-*`: an empty one for each test, and one with the guide's tables."""

import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

from database.embedded import Server, program, running
from migrations.upgrade import engine

MIGRATIONS = Path(__file__).parents[2] / "migrations"
LEGACY = Path(__file__).with_name("legacy")
GUIDE_SQL = (LEGACY / "guide.sql").read_text()
GUIDE_ROWS = (LEGACY / "guide_rows.sql").read_text()
AWKWARD_ROWS = (LEGACY / "awkward_rows.sql").read_text()
numbers = count()


@pytest.fixture(scope="session")
def bare_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server of our own: roles and time zones are changed on it."""
    with running(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield server


@pytest.fixture
def url(bare_server: Server) -> str:
    """Make an empty database; the server goes at the end and takes it along."""
    return create_database(bare_server, f"migrated_{next(numbers)}")


@pytest.fixture
def guide_url(url: str) -> str:
    """Make a database with the guide's tables, as Drizzle makes them, without rows."""
    run_sql(url, GUIDE_SQL)
    return url


@pytest.fixture
def database(url: str) -> Engine:
    """Reach the database of this test."""
    return engine(url)


def create_database(server: Server, name: str, template: str = "template1") -> str:
    """Create a database as a copy of another one; return its URL."""
    with engine(server.url("postgres")).connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        autocommit.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    return server.url(name)


def run_sql(url: str, statements: str) -> None:
    """Run a script as psql does, in one transaction."""
    with engine(url).begin() as connection:
        connection.exec_driver_sql(statements)
        connection.exec_driver_sql("SET search_path TO DEFAULT")  # a dump leaves it empty


def dump(url: str) -> list[str]:
    """Dump the schema as sorted statements: what there is, not the order or the version that it was dumped in."""
    command = [
        program("pg_dump"),
        "--schema-only",
        "--no-owner",
        "--no-privileges",
        "--exclude-table=alembic_version",
        url,
    ]
    return statements_of(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def statements_of(dumped: str) -> list[str]:
    """Split a dump into its statements, without comments and without the settings of the session that restores it."""
    noise = ("--", "SET ", "\\restrict", "\\unrestrict", "SELECT pg_catalog.set_config")
    lines = [line for line in dumped.splitlines() if line and not line.startswith(noise)]
    return sorted("\n".join(lines).split(";\n"))


def config_for(connection: Connection, *versions: Path) -> Config:
    """Return alembic's configuration over a connection, with further folders of steps."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(str(path) for path in (MIGRATIONS / "versions", *versions)))
    return config

"""Databases for the migrations' tests: an empty one each, and one that the guide's application made."""

import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from local.postgres import Server, program, running
from migrations.upgrade import engine
from tests.migrations import old_application
from tests.migrations.old_application import Adopted, OldApplication
from tests.support import stack

GUIDE_SQL = Path(__file__).with_name("guide.sql")
numbers = count()


@pytest.fixture(scope="session")
def bare_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server of our own: roles and time zones are changed on it."""
    with running(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield server


@pytest.fixture
def url(bare_server: Server) -> str:
    """Make an empty database; the server goes at the end and takes it along."""
    name = f"migrated_{next(numbers)}"
    with engine(bare_server.url("postgres")).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(f"CREATE DATABASE {name}"))
    return bare_server.url(name)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the guide's packages once: whoever wants them belongs to the xdist group `node`, on one worker."""
    return old_application.install(tmp_path_factory.mktemp("guide"))


@pytest.fixture(scope="session")
def adopted(packages: Path, servers: stack.Stack) -> Iterator[Adopted]:
    """Take over a database with awkward rows and 100,000 members, once, on the servers that functions are tested on."""
    rows = Path(__file__).with_name("awkward_rows.sql").read_text()
    with old_application.adopted(packages, servers, rows) as made:
        yield made


@pytest.fixture
def old(adopted: Adopted) -> OldApplication:
    """The application that came with it, still running."""
    return adopted.old


@pytest.fixture
def guide_url(url: str) -> str:
    """Make a database as the guide's application has it, without rows."""
    run_sql(url, GUIDE_SQL.read_text())
    return url


@pytest.fixture
def database(url: str) -> Engine:
    """Reach the database of this test."""
    return engine(url)


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

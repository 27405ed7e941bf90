"""The real parts that tests run on: one PostgreSQL for the run, a database for each worker, PgBouncer in front."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from database.embedded import HOST, Server, free_port, running, unprivileged
from migrations.roles_and_timeouts import ensure_roles
from migrations.upgrade import engine, upgrade

TEMPLATE = "migrated"
PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


@dataclass(frozen=True)
class Stack:
    """Where the run's servers listen."""

    postgres: int
    pooler: int | None

    def direct(self, database: str, user: str = "postgres") -> str:
        """The address of a database, past the pooler."""
        return f"postgresql://{user}@{HOST}:{self.postgres}/{database}"

    def pooled(self, database: str, user: str = "api") -> str:
        """The address of a database as functions reach it: through the pooler where there is one."""
        return f"postgresql://{user}@{HOST}:{self.pooler or self.postgres}/{database}"


@contextmanager
def run(folder: Path) -> Iterator[Stack]:
    """Start PostgreSQL, migrate a database to copy from, and start PgBouncer where it is installed."""
    with running(folder / "postgres", durable=False) as server:
        with engine(server.url("postgres")).connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text(f"CREATE DATABASE {TEMPLATE}"))
        upgrade(server.url(TEMPLATE))
        with engine(server.url(TEMPLATE)).begin() as connection:
            ensure_roles(connection)
        if PGBOUNCER is None:
            yield Stack(server.port, None)
        else:
            with _pooler(PGBOUNCER, server, folder) as port:
                yield Stack(server.port, port)


def copy(stack: Stack, name: str) -> None:
    """Make a migrated database by this name."""
    with engine(stack.direct("postgres")).connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        autocommit.execute(sa.text(f"DROP DATABASE IF EXISTS {name}"))
        autocommit.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
        autocommit.execute(sa.text(f"ALTER DATABASE {name} SET timezone TO 'UTC'"))


@contextmanager
def _pooler(program: str, server: Server, folder: Path) -> Iterator[int]:
    port = free_port()
    (folder / "users.txt").write_text('"api" ""\n"jobs" ""\n"postgres" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"""
        [databases]
        * = host={HOST} port={server.port}
        [pgbouncer]
        listen_addr = {HOST}
        listen_port = {port}
        unix_socket_dir =
        auth_type = trust
        auth_file = {folder / "users.txt"}
        pool_mode = transaction
        max_client_conn = 2000
        default_pool_size = 20
        logfile =
        """.replace("\n        ", "\n")
    )
    with (folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen(unprivileged(program, str(folder / "pgbouncer.ini")), stdout=log, stderr=log)
    try:
        _await_listener(process, port, folder / "pgbouncer.log")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _await_listener(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"PgBouncer did not start: {log.read_text()[-500:]}")


def configure(stack: Stack, database: str) -> None:
    """Tell this process, and those that it starts, what `template.yaml` tells a function."""
    os.environ.update(
        DATABASE_URL=stack.pooled(database),
        DATABASE_SOCKET_TIMEOUT="10",
        MAIL_FROM="GoatedVIPs <no-reply@goatedvips.example>",
        MAIL_RATE="14",
        STAFF_ADDRESS="staff@goatedvips.example",
        API_URL="http://127.0.0.1:3000",
        MAIL_EVENTS_TOPIC="MailEventsTopic",
        AWS_REGION="us-east-1",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        POWERTOOLS_SERVICE_NAME="goatedvips",
        POWERTOOLS_METRICS_NAMESPACE="GoatedVIPs",
    )

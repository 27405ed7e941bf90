"""Bring a database to the newest schema, an empty one or one that the legacy application filled.

By hand: `DATABASE_URL=… python -m migrations.upgrade`.
"""

import logging
import os
import ssl
import sys
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url, text

from goatedvips.models.every import metadata
from goatedvips.postgres import DRIVER
from goatedvips.postgres_server import LOCAL_HOSTS, Server
from migrations import routines, sequences
from migrations.roles_and_timeouts import ensure_roles
from migrations.session import without_limits

logger = logging.getLogger(__name__)

LOCK = int.from_bytes(b"migrate")
LOCK_PATIENCE_SECONDS = 60.0


def engine(url: str) -> Engine:
    """Make an engine for direct connections; to another host than this one only over TLS, its certificate verified.

    Other authorities than the system's, such as Amazon RDS's, go into the file that SSL_CERT_FILE names. On AWS each
    connection signs in with an IAM token as its password.
    """
    # libpq's own words about TLS, which hosted databases put into their URLs; verifying is at least as strict.
    address = make_url(url).set(drivername=DRIVER).difference_update_query(["sslmode", "channel_binding"])
    made = create_engine(address, poolclass=NullPool, connect_args=connect_arguments(address))
    if os.environ.get("DATABASE_IAM") == "true":  # not from the settings, which are read once and may be made later
        server = Server(url, iam=True, ca_file="", timeout=None)

        @event.listens_for(made, "do_connect")
        def set_password(_: object, __: object, ___: object, parameters: dict[str, object]) -> None:
            parameters["password"] = server.password()

    return made


def connect_arguments(address: URL) -> dict[str, ssl.SSLContext]:
    """Return pg8000's arguments for a verified connection, or none for a server on this machine."""
    is_here = address.host in {None, *LOCAL_HOSTS}
    return {} if is_here else {"ssl_context": ssl.create_default_context()}


def upgrade(url: str) -> None:
    """Upgrade the database at this address to the newest schema; quick when it is there already.

    Raises
    ------
    CommandError: the database holds some of the guide's tables but not all of it, or another upgrade holds on.
    """
    with engine(url).connect() as connection:
        upgrade_connected(connection)


def upgrade_connected(connection: Connection) -> None:
    """Upgrade over a direct connection, not one through a pooler: the lock belongs to the session.

    Raises
    ------
    CommandError: as `upgrade`.
    """
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    newest = ScriptDirectory.from_config(config).get_current_head()
    connection.execute(without_limits(is_local=False))
    # The tables are in the schema public, whatever the login's search path has before it.
    connection.execute(text("SET search_path TO public"))
    # In an open transaction, Alembic could not run each step in a transaction of its own.
    connection.commit()
    if _current(connection) != newest or _has_faults(connection):
        take_lock(connection)
        try:
            command.upgrade(config, "head")
            note_history(connection, config)
            routines.ensure(connection)
            sequences.move_forward(connection, [*metadata.tables])
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
            connection.commit()
    set_time_zone(connection)


def note_history(connection: Connection, config: Config) -> None:
    """Write the newest revision and those before it into the comment of alembic's table.

    A release that is a few steps behind sees by it that the database has had its own revision.
    """
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    connection.execute(text(f"COMMENT ON TABLE alembic_version IS '{' '.join(revisions)}'"))
    connection.commit()


def is_ahead(connection: Connection) -> bool:
    """Whether the database has a revision that is none of these migrations, but of a later release."""
    current = _current(connection)
    return current is not None and current not in {
        script.revision for script in ScriptDirectory(str(Path(__file__).parent)).walk_revisions()
    }


def _current(connection: Connection) -> str | None:
    revision = MigrationContext.configure(connection).get_current_revision()
    connection.rollback()
    return revision


def _has_faults(connection: Connection) -> bool:
    """Whether an upgrade must repair a function, a trigger or a sequence of a database at the newest revision."""
    is_faulty = any(routines.differences(connection)) or any(sequences.lagging(connection, [*metadata.tables]))
    connection.rollback()
    return is_faulty


def set_time_zone(connection: Connection) -> None:
    """Make the database's clock UTC: the columns keep no time zone, and `now()` in them follows the database's.

    A new database has its host's. Sessions that are open keep what they have until they connect again.
    """
    is_set = text(
        "SELECT 'TimeZone=UTC' = ANY (setconfig) FROM pg_db_role_setting"
        " JOIN pg_database ON pg_database.oid = setdatabase WHERE datname = current_database() AND setrole = 0"
    )
    if not connection.scalar(is_set):
        zone, database = connection.execute(
            text("SELECT reset_val, current_database() FROM pg_settings WHERE name = 'TimeZone'")
        ).one()
        if zone != "UTC":
            logger.warning(
                "database %s: time zone %s becomes UTC; times stored before stay as they are", database, zone
            )
        name = connection.dialect.identifier_preparer.quote(database)
        connection.execute(text(f"ALTER DATABASE {name} SET timezone TO 'UTC'"))
    connection.commit()


def take_lock(connection: Connection) -> None:
    """Let one upgrade run at a time; the second one then finds nothing to do.

    It asks again and again, because a statement that waits holds a snapshot, and the other's CREATE INDEX CONCURRENTLY
    would wait for that: a deadlock.
    """
    give_up = time.monotonic() + LOCK_PATIENCE_SECONDS
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK}):
        connection.commit()
        if time.monotonic() > give_up:
            message = f"another upgrade of this database has been running for {LOCK_PATIENCE_SECONDS:.0f} s: try later"
            raise CommandError(message)
        time.sleep(0.2)
    connection.commit()


def main() -> None:
    """Upgrade the database that DATABASE_URL names, then see to the functions' roles."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    url = os.environ.get("DATABASE_URL") or sys.exit("set DATABASE_URL to the database that is meant")
    try:
        upgrade(url)
    except CommandError as error:
        sys.exit(str(error))
    with engine(url).begin() as connection:
        ensure_roles(connection)


if __name__ == "__main__":
    main()

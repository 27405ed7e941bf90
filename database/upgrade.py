"""`make db-upgrade`: the newest schema for the local database, or for the one that DATABASE_URL names."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from alembic.util import CommandError
from sqlalchemy import Connection, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from database.checks.finding import Finding
from database.checks.revision import lost
from database.checks.rights import login_of
from database.checks.schema import elsewhere, guide
from database.checks.settings import read_only
from database.connection import first_line
from database.target import chosen, require_connection
from goatedvips.postgres_errors import sqlstate
from migrations import upgrade as migrations
from migrations.roles_and_timeouts import ensure_roles
from migrations.session import without_limits

SESSION_ENDED = {
    "57P01",  # admin_shutdown
    "57P02",  # crash_shutdown
    "57P05",  # idle_session_timeout
    "25P03",  # idle_in_transaction_session_timeout
}
AGAIN = "Run it again: it goes on where it stopped."
INTERRUPTED = f"\nInterrupted. {AGAIN}"


def upgrade(url: str) -> None:
    """Bring a database to the newest schema, its time zone to UTC, and the functions' roles up to date.

    Raises
    ------
    SystemExit: the upgrade failed; the text says why.
    KeyboardInterrupt
    """
    shown = make_url(url).render_as_string(hide_password=True)
    failed = f"The database {shown} could not be upgraded"
    with _exit_with_message(failed):
        with migrations.engine(url).connect() as connection:
            login = login_of(connection)
            connection.execute(without_limits(is_local=False))
            connection.execute(text("SET search_path TO public"))
            obstacle = next(read_only(login), None) or _revision_obstacle(connection)
        if obstacle:
            sys.exit(f"{failed}: {obstacle}.")
        migrations.upgrade(url)
    roles = f"The schema of {shown} is the newest, but the functions' roles could not be seen to"
    advice = "It takes a login with CREATEROLE, and with ADMIN OPTION on the roles `api` and `jobs` where they exist."
    with _exit_with_message(roles, advice), migrations.engine(url).begin() as connection:
        ensure_roles(connection)


@contextmanager
def _exit_with_message(failed: str, advice: str = "") -> Iterator[None]:
    """Turn an error of the database, or of the connection to it, into the message that ends the program."""
    try:
        yield
    except Exception as error:
        chain = [*_chain(error)]
        if any(isinstance(each, KeyboardInterrupt) for each in chain):
            raise KeyboardInterrupt from error  # the roll-back after the interrupt failed
        if any(isinstance(each, DBAPIError) and _is_end(each) for each in chain):
            sys.exit(f"{failed}: the server ended the session, or the network did. {AGAIN}")
        if not isinstance(error, CommandError | SQLAlchemyError):
            raise
        sys.exit(f"{failed}: {first_line(error)}. {advice}".rstrip())


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and each error that it was raised from or during."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_end(error: DBAPIError) -> bool:
    """Whether the server ended the session, or the connection broke off."""
    return error.connection_invalidated or sqlstate(error.orig) in SESSION_ENDED


def _revision_obstacle(connection: Connection) -> Finding | None:
    """Return why a database without a revision is not one to upgrade: it lost its own, or its tables are elsewhere."""
    is_there = inspect(connection).has_table("alembic_version")
    if is_there and connection.scalar(text("SELECT count(*) FROM alembic_version")):
        return None
    is_empty = guide().tables.keys().isdisjoint(inspect(connection).get_table_names())
    return lost(connection) or (elsewhere(connection) if is_empty else None)


def log_steps() -> None:
    """Log what migrations do, and of alembic's own lines only which step it runs."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    steps = logging.getLogger("alembic.runtime.migration")
    steps.setLevel(logging.INFO)
    steps.addFilter(lambda record: "Running" in str(record.msg))


def main() -> None:
    """Upgrade the database that DATABASE_URL names, or the local one."""
    log_steps()
    with chosen() as url:
        require_connection(url)
        try:
            upgrade(url)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        print(f"Ready: {make_url(url).render_as_string(hide_password=True)}")


if __name__ == "__main__":
    main()

"""`make db-upgrade`, `make db-reset`: the schema of the local database, or of the one that DATABASE_URL names."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy import Connection, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from goatedvips.postgres import LOCAL_HOSTS, sqlstate
from local import postgres
from local.database_connection import UnreachableError, connected
from local.database_finding import Finding
from local.database_revision import lost
from local.database_rights import login_of, read_only
from migrations import upgrade as migrations
from migrations.roles_and_time_limits import ensure_roles

SESSION_ENDED = {
    "57P01",  # admin_shutdown
    "57P02",  # crash_shutdown
    "57P05",  # idle_session_timeout
    "25P03",  # idle_in_transaction_session_timeout
}
ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".local"
AGAIN = "Run it again: it goes on where it stopped."
INTERRUPTED = f"\nInterrupted. {AGAIN}"


def created(server: postgres.Server) -> str:
    """Make the local database where it is missing, and return its URL."""
    url = server.url()
    name = make_url(url).database
    with migrations.engine(server.url("postgres")).connect() as connection:
        if not connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}):
            connection.rollback()
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(f"CREATE DATABASE {name}"))
    return url


def upgrade(url: str) -> None:
    """Bring a database to the newest schema, its clock to UTC and the functions' roles up to date.

    Raises
    ------
    SystemExit: it could not be; the text says why.
    KeyboardInterrupt
    """
    shown = make_url(url).render_as_string(hide_password=True)
    failed = f"The database {shown} could not be upgraded"
    with _told(failed):
        with migrations.engine(url).connect() as connection:
            obstacle = next(read_only(login_of(connection)), None) or _lost_revision(connection)
        if obstacle:
            sys.exit(f"{failed}: {obstacle}.")
        migrations.upgrade(url)
    roles = f"The schema of {shown} is the newest, but the functions' roles could not be seen to"
    advice = "It takes a login with CREATEROLE; run this again with one."
    with _told(roles, advice), migrations.engine(url).begin() as connection:
        ensure_roles(connection)


@contextmanager
def _told(failed: str, advice: str = "") -> Iterator[None]:
    """End with a sentence where a database refuses, or is gone; what was cut off may run again."""
    try:
        yield
    except Exception as error:
        chain = [*_chain(error)]
        if any(isinstance(each, KeyboardInterrupt) for each in chain):
            raise KeyboardInterrupt from error  # cleaning up behind it failed
        if any(isinstance(each, DBAPIError) and _is_end(each) for each in chain):
            sys.exit(f"{failed}: the server ended the session, or the network did. {AGAIN}")
        if not isinstance(error, CommandError | SQLAlchemyError):
            raise
        sys.exit(f"{failed}: {_sentence(error)}. {advice}".rstrip())


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it happened during, back to the first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_end(error: DBAPIError) -> bool:
    """Whether the server ended the session, or the connection broke off."""
    return error.connection_invalidated or sqlstate(error.orig) in SESSION_ENDED


def _lost_revision(connection: Connection) -> Finding | None:
    is_there = inspect(connection).has_table("alembic_version")
    has_one = is_there and connection.scalar(text("SELECT count(*) FROM alembic_version"))
    return None if has_one else lost(connection)


def drop_everything(url: str) -> None:
    """Drop all schemas of a database that are not PostgreSQL's own, and make an empty `public`."""
    with migrations.engine(url).begin() as connection:
        names = connection.scalars(
            text("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'")
        )
        quote = connection.dialect.identifier_preparer.quote
        for name in names.all():
            connection.execute(text(f"DROP SCHEMA {quote(name)} CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        connection.execute(text("GRANT USAGE ON SCHEMA public TO PUBLIC"))


def confirm(what: str) -> None:
    """Go on only when it is meant: by YES=1, or by a word at the terminal."""
    if os.environ.get("YES") == "1":
        return
    if not sys.stdin.isatty():
        sys.exit(f"{what}: set YES=1 to say that it is meant.")
    if input(f"{what}. Type yes to go on: ").strip().lower() != "yes":
        sys.exit("Nothing was changed.")


def reset(url: str) -> None:
    """Drop everything and migrate anew, after asking; another machine's database only when told twice."""
    address = make_url(url)
    shown = address.render_as_string(hide_password=True)
    if address.host not in LOCAL_HOSTS and os.environ.get("ALLOW_REMOTE") != "1":
        sys.exit(f"{shown} is not on this machine: set ALLOW_REMOTE=1 if it is really meant to be emptied.")
    confirm(f"This deletes everything in {shown}")
    try:
        drop_everything(url)
    except SQLAlchemyError as error:
        sys.exit(f"The database {shown} could not be emptied: {_sentence(error)}")
    upgrade(url)


@contextmanager
def chosen() -> Iterator[str]:
    """Return DATABASE_URL, or else the local database's, whose server is started for as long as it is needed."""
    if url := os.environ.get("DATABASE_URL"):
        try:
            is_postgres = make_url(url).get_backend_name() in {"postgresql", "postgres"}
        except (ArgumentError, ValueError):
            is_postgres = False
        if url.count("@") > 1:  # then it was not read as it was meant, and no part of it may be shown
            sys.exit(
                "DATABASE_URL has more than one @: in user and password write special characters as %XX, "
                "@ as %40, / as %2F, # as %23, % as %25."
            )
        if not is_postgres:
            sys.exit("DATABASE_URL must be as in postgresql://user:password@host:5432/database.")
        yield url
    else:
        with local() as url:
            yield url


@contextmanager
def local() -> Iterator[str]:
    """Return the local database's URL, whose server is started for as long as it is needed."""
    with usable(FOLDER), postgres.reached(FOLDER) as server:
        yield created(server)


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """End with a sentence where the local data cannot be read or written."""
    try:
        folder.mkdir(exist_ok=True)
        yield
    except (OSError, SQLAlchemyError) as error:
        sys.exit(
            f"The local data in {folder} cannot be used ({_sentence(error)}): see that the folder can be written and "
            "the disk is not full; if the data is broken, remove the folder, which deletes it, and start again."
        )


def _sentence(error: Exception) -> str:
    """Return PostgreSQL's own message, or the error's first line."""
    told = getattr(getattr(error, "orig", None), "args", None)
    if told and isinstance(told[0], dict):
        return str(told[0].get("M"))
    return str(error).splitlines()[0]


def reach(url: str) -> None:
    """End with a sentence where there is no connection to be had."""
    try:
        with connected(url):
            pass
    except UnreachableError as error:
        sys.exit(f"The database {make_url(url).render_as_string(hide_password=True)} cannot be reached: {error}.")


def tell_steps() -> None:
    """Let migrations say what they do, and alembic no more than which step it runs."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    steps = logging.getLogger("alembic.runtime.migration")
    steps.setLevel(logging.INFO)
    steps.addFilter(lambda record: "Running" in str(record.msg))  # its other lines say nothing to a person


def main(command: str) -> None:
    """Run one of the two commands."""
    tell_steps()
    with chosen() as url:
        reach(url)
        try:
            {"upgrade": upgrade, "reset": reset}[command](url)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        if command == "reset" and "DATABASE_URL" not in os.environ:
            print("The next `make run` loads the demo data again.")  # noqa: T201
        print(f"Ready: {make_url(url).render_as_string(hide_password=True)}")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])

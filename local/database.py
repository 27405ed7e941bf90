"""`make db-upgrade`, `make db-reset`: the schema of the local database, or of the one that DATABASE_URL names."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy import make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from goatedvips.postgres import LOCAL_HOSTS
from local import postgres
from local.database_connection import UnreachableError, connected
from migrations import upgrade as migrations
from migrations.roles_and_time_limits import ensure_roles

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".local"


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
    """Bring a database to the newest schema, its clock to UTC and the functions' roles up to date."""
    shown = make_url(url).render_as_string(hide_password=True)
    try:
        migrations.upgrade(url)
    except (CommandError, SQLAlchemyError) as error:
        sys.exit(f"The database {shown} could not be upgraded: {_sentence(error)}")
    try:
        with migrations.engine(url).begin() as connection:
            ensure_roles(connection)
    except SQLAlchemyError as error:
        sys.exit(
            f"The schema of {shown} is the newest, but the functions' roles could not be seen to: {_sentence(error)}. "
            "It takes a login with CREATEROLE; run this again with one."
        )


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
        {"upgrade": upgrade, "reset": reset}[command](url)
        if command == "reset" and "DATABASE_URL" not in os.environ:
            print("The next `make run` loads the demo data again.")  # noqa: T201
        print(f"Ready: {make_url(url).render_as_string(hide_password=True)}")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])

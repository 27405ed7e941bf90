"""The local database: PostgreSQL on the folder .local, for `make run`, `make invoke`, and the `db-*` commands."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError

from database import embedded
from database.connection import first_line
from migrations import upgrade as migrations

FOLDER = Path(__file__).resolve().parent.parent / ".local"
BUCKET_FOLDER = "s3"
"""The folder in that folder with the objects of the local bucket, which rows of the database name by their keys."""
CLOCK_FILE = "clock.json"
"""The file in that folder where `make run` notes how far its clock is ahead of the real time."""


@contextmanager
def local_database() -> Iterator[str]:
    """Yield the URL of the local database; its server runs already, or runs until the block ends."""
    with usable(FOLDER), embedded.reached(FOLDER) as server:
        yield create_database(server)


def create_database(server: embedded.Server) -> str:
    """Create the local database if it is missing, and return its URL."""
    url = server.url()
    name = make_url(url).database
    with migrations.engine(server.url("postgres")).connect() as connection:
        if not connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}):
            connection.rollback()
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(f"CREATE DATABASE {name}"))
    return url


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Create the folder of the local data, and end the program with a message when the data cannot be read or written.

    Raises
    ------
    SystemExit: the folder or the data in it cannot be used.
    """
    try:
        folder.mkdir(exist_ok=True)
        yield
    except (OSError, SQLAlchemyError) as error:
        sys.exit(
            f"The local data in {folder} cannot be used ({first_line(error)}): see that the folder can be written and "
            "the disk is not full; if the data is broken, remove the folder, which deletes it, and start again."
        )

"""The database that a `db-*` command works on: the one that DATABASE_URL names, or the local one."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from database.connection import UnreachableError, connected
from database.local import local_database


@contextmanager
def chosen() -> Iterator[str]:
    """Yield DATABASE_URL, or else the URL of the local database, whose server runs until the block ends.

    Raises
    ------
    SystemExit: DATABASE_URL is not the URL of a PostgreSQL database.
    """
    if url := os.environ.get("DATABASE_URL"):
        require_postgres(url)
        yield url
    else:
        with local_database() as url:
            yield url


def require_postgres(url: str) -> None:
    """End the program with a message unless this is the URL of a PostgreSQL database.

    Raises
    ------
    SystemExit
    """
    try:
        is_postgres = make_url(url).get_backend_name() in {"postgresql", "postgres"}
    except (ArgumentError, ValueError):
        is_postgres = False
    if url.count("@") > 1:  # it was split at the wrong @: no part of it may be printed, it could be of the password
        sys.exit(
            "DATABASE_URL has more than one @: in user and password write special characters as %XX, "
            "@ as %40, / as %2F, # as %23, % as %25."
        )
    if not is_postgres:
        sys.exit("DATABASE_URL must be as in postgresql://user:password@host:5432/database.")


def require_connection(url: str) -> None:
    """End the program with a message if no connection to the database can be opened.

    Raises
    ------
    SystemExit
    """
    try:
        with connected(url):
            pass
    except UnreachableError as error:
        sys.exit(f"The database {make_url(url).render_as_string(hide_password=True)} cannot be reached: {error}.")


def confirm(what: str) -> None:
    """Go on only after a confirmation: YES=1 in the environment, or `yes` at the terminal.

    Raises
    ------
    SystemExit: it was not confirmed.
    """
    if os.environ.get("YES") == "1":
        return
    if not sys.stdin.isatty():
        sys.exit(f"{what}: set YES=1 to say that it is meant.")
    if input(f"{what}. Type yes to go on: ").strip().lower() != "yes":
        sys.exit("Nothing was changed.")

"""`make db-reset`: delete everything in the local database, or in the one that DATABASE_URL names, and migrate anew."""

import os
import shutil
import sys

from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError

from database import local
from database.connection import first_line
from database.target import chosen, confirm, require_connection
from database.upgrade import INTERRUPTED, log_steps, upgrade
from goatedvips.postgres_server import LOCAL_HOSTS
from migrations.upgrade import engine


def reset(url: str) -> None:
    """Drop everything and migrate anew, after a confirmation; on another machine only with ALLOW_REMOTE=1 as well.

    Raises
    ------
    SystemExit: it was not confirmed, or it failed; the text says why.
    """
    target = make_url(url)
    shown = target.render_as_string(hide_password=True)
    if target.host not in LOCAL_HOSTS and os.environ.get("ALLOW_REMOTE") != "1":
        sys.exit(f"{shown} is not on this machine: set ALLOW_REMOTE=1 if it is really meant to be emptied.")
    confirm(f"This deletes everything in {shown}")
    try:
        drop_everything(url)
    except SQLAlchemyError as error:
        sys.exit(f"The database {shown} could not be emptied: {first_line(error)}")
    upgrade(url)


def drop_everything(url: str) -> None:
    """Drop each schema of a database that is not PostgreSQL's own, and create an empty `public`."""
    with engine(url).begin() as connection:
        names = connection.scalars(
            text("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'")
        )
        quote = connection.dialect.identifier_preparer.quote
        for name in names.all():
            connection.execute(text(f"DROP SCHEMA {quote(name)} CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        connection.execute(text("GRANT USAGE ON SCHEMA public TO PUBLIC"))


def main() -> None:
    """Reset the database that DATABASE_URL names, or the local one."""
    log_steps()
    with chosen() as url:
        require_connection(url)
        try:
            reset(url)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        if "DATABASE_URL" not in os.environ:
            (local.FOLDER / local.CLOCK_FILE).unlink(missing_ok=True)
            shutil.rmtree(local.FOLDER / local.BUCKET_FOLDER, ignore_errors=True)
            print("The next `make run` loads the demo data again.")
        print(f"Ready: {make_url(url).render_as_string(hide_password=True)}")


if __name__ == "__main__":
    main()

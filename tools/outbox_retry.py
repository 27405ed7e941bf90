"""`make outbox-retry`: queues all mail that was given up once more, here or in the database of DATABASE_URL."""

import sys
from datetime import UTC, datetime

from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from database.connection import UnreachableError, connected, first_line
from database.target import chosen
from goatedvips.domain.notifications import sending


def main() -> None:
    """Queue the mail, and print how many it was.

    Raises
    ------
    SystemExit: the database cannot be reached, or has no outbox of this version.
    """
    with chosen() as url:
        try:
            with connected(url) as connection, connection.begin():
                number = sending.retry_failed(connection, now=datetime.now(UTC))
        except UnreachableError as error:
            sys.exit(f"The database {make_url(url).render_as_string(hide_password=True)} cannot be reached: {error}.")
        except DBAPIError as error:
            sys.exit(f"No mail was queued: {first_line(error)}. `make db-upgrade` brings the database up to date.")
    print(f"{number} {'mail is' if number == 1 else 'mails are'} queued again.")  # noqa: T201


if __name__ == "__main__":
    main()

"""What alembic runs: the steps over one direct connection, each in a transaction of its own.

Two things reach it: a connection in `config.attributes["connection"]` (migrations/upgrade.py), or DATABASE_URL.
"""

import os
from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.util import CommandError
from sqlalchemy import Connection, event

from goatedvips.models.every import metadata
from goatedvips.models.schema import Instant
from migrations.online import LONGEST_WAIT, leave_transaction
from migrations.session import without_limits
from migrations.upgrade import engine

# The clock is what a step's now() follows.
SESSION = "SET timezone TO 'UTC'; SET search_path TO public"


def limit_lock_waits(connection: Connection) -> None:
    """Give up at once on a table that others keep locked: everyone's queries would queue up behind the wait.

    LOCAL does nothing in an autocommit block, and so it should be: CREATE INDEX CONCURRENTLY waits for every older
    transaction. What waits for its turn instead is in migrations/online.py.
    """
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LONGEST_WAIT}'")


def render_item(kind: str, item: object, _: AutogenContext) -> str | Literal[False]:
    """Write our own types as the database's, because a migration must not depend on models that move on."""
    return "sa.DateTime()" if kind == "type" and isinstance(item, Instant) else False


def run(connection: Connection) -> None:
    """Apply, or compare, over this connection."""
    connection.execute(without_limits(is_local=False))
    connection.exec_driver_sql(SESSION)
    connection.commit()
    event.listen(connection, "begin", limit_lock_waits)
    event.listen(connection, "set_connection_execution_options", leave_transaction)
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transaction_per_migration=True,
        compare_type=True,
        compare_server_default=True,
        render_item=render_item,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    MESSAGE = "migrations look at the database they change, so they can't be printed as SQL"
    raise CommandError(MESSAGE)
given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
elif "DATABASE_URL" in os.environ:
    with engine(os.environ["DATABASE_URL"]).connect() as own:
        run(own)
else:
    MESSAGE = "set DATABASE_URL to the database that is meant"
    raise CommandError(MESSAGE)

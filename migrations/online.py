"""Change a database that is in use: nobody waits for a step longer than a moment.

A statement that waits for a lock makes everyone queue up behind it, and what it locked stays so until its transaction
ends.  So each change here is a transaction of its own that gives up at once where somebody is in its way, and tries
again later.  Indexes are built, and old rows looked over, under locks that let others write; rows are filled a batch at
a time, around those that others hold.  What was cut off may run again: each function does what is not done yet.

Alembic's own transaction, which a step begins in, ends before each of them and begins anew behind it.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from alembic import op
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError

from goatedvips.postgres_errors import sqlstate

logger = logging.getLogger(__name__)

LONGEST_WAIT = "200ms"
"""How long others may queue up behind a change: one write may meet several, on its table and on those it refers to."""
PAUSE_SECONDS = 1.0
PATIENCE_SECONDS = 300.0
REPORT_SECONDS = 10.0
BATCH = 1000
LEAST_ID = -(2**31)
IN_THE_WAY = {
    "55P03",  # lock_not_available
    "40P01",  # deadlock_detected
    "23505",  # unique_violation: somebody took a key after the batch looked
}
# Two at most: who has been there longest is in the way, and the rest mostly wait for the same.
HOLDERS = text("""
    SELECT pid, application_name, state, extract(epoch FROM clock_timestamp() - xact_start)::int
    FROM pg_stat_activity WHERE pid IN (
        SELECT pid FROM pg_locks
        WHERE granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND relation = ANY (SELECT to_regclass(name) FROM unnest(CAST(:tables AS text[])) name)
    ) AND pid <> pg_backend_pid()
    ORDER BY xact_start LIMIT 2
""")


def change(*statements: str, locks: Sequence[str] = ()) -> None:
    """Run statements as one short transaction, once nobody is in its way.

    Parameters
    ----------
    statements: SQL that may run again.
    locks: the tables, of those that others write to, that it locks against them.

    Raises
    ------
    CommandError: somebody has been in the way for minutes; it says who.
    """
    # The first lock stops neither readers nor writers, so it may wait: long enough for PostgreSQL to send an autovacuum
    # away, which it does after deadlock_timeout, a second, and so never for a wait as short as the other.
    first = f"SET LOCAL lock_timeout = '10s'; LOCK TABLE {', '.join(locks)} IN SHARE UPDATE EXCLUSIVE MODE;"
    parts = (f"SET LOCAL lock_timeout = '{LONGEST_WAIT}'", *statements)
    run_patiently((first if locks else "") + ";\n".join(parts), locks)


def add_columns(table: str, *columns: str) -> None:
    """Add columns, all in one change: nullable ones, or with a constant default, for which no row is written."""
    change(
        f"ALTER TABLE {table} {', '.join(f'ADD COLUMN IF NOT EXISTS {column}' for column in columns)}", locks=[table]
    )


def add_index(name: str, definition: str, *, unique: bool = False) -> None:
    """Build an index while others write; it waits for transactions older than itself, and nobody waits for it.

    Parameters
    ----------
    definition: what follows ON, as in `users (created_at)`.
    """
    with own_transactions() as connection:
        is_valid = connection.scalar(
            text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"), {"name": name}
        )
        if is_valid:
            return
        if is_valid is not None:  # one that was cut off while it was built stays behind, invalid
            connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {name}")
        connection.exec_driver_sql(f"CREATE {'UNIQUE ' if unique else ''}INDEX CONCURRENTLY {name} ON {definition}")


def drop_index(name: str) -> None:
    """Drop an index, or what is left of one, while others read and write the table."""
    with own_transactions() as connection:
        connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


def add_unique(table: str, *columns: str) -> None:
    """Build the index first, then make it the constraint."""
    name = f"{table}_{'_'.join(columns)}_unique"
    if validated(name) is None:
        add_index(name, f"{table} ({', '.join(columns)})", unique=True)
        change(f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}", locks=[table])


def add_foreign_key(table: str, column: str, referent: str) -> None:
    """Bind new rows at once and look over the old ones afterwards, under a lock that lets others write."""
    name = f"{table}_{column}_{referent}_id_fk"
    if validated(name) is None:
        key = f"FOREIGN KEY ({column}) REFERENCES {referent} (id)"
        change(f"ALTER TABLE {table} ADD CONSTRAINT {name} {key} NOT VALID", locks=[table, referent])
    validate(table, name)


def replace_foreign_key(table: str, column: str, referent: str, on_delete: str) -> None:
    """Put one that says what becomes of the row in the place of one that forbids to delete what it refers to."""
    name = f"{table}_{column}_{referent}_id_fk"
    says = text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    key = f"FOREIGN KEY ({column}) REFERENCES {referent}(id) ON DELETE {on_delete}"
    if not str(op.get_bind().scalar(says, {"name": name})).startswith(key):
        change(
            f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}, ADD CONSTRAINT {name} {key} NOT VALID",
            locks=[table, referent],
        )
    validate(table, name)


def validate(table: str, constraint: str) -> None:
    """Look old rows over, while others write."""
    if not validated(constraint):
        with own_transactions() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {table} VALIDATE CONSTRAINT {constraint}")


def validated(constraint: str) -> bool | None:
    """Whether a constraint holds for all rows; none: there is no such constraint."""
    query = text(
        "SELECT convalidated FROM pg_constraint WHERE conname = :name AND connamespace = current_schema()::regnamespace"
    )
    found: bool | None = op.get_bind().scalar(query, {"name": constraint})
    return found


def fill(table: str, rows: str, *statements: str, only: str = "true") -> None:
    """Bring old rows up to date, a batch at a time in the order of their ids.

    It waits for nobody: rows that others hold are left for another round.  Others wait for a batch at most, and only
    where they want a row of it.

    Parameters
    ----------
    rows: what is true of a row `r` until it is up to date.
    statements: what brings the rows of `batch` up to date.
    only: what is true of those among the rows that the statements act on.

    Raises
    ------
    CommandError: somebody has been in the way for minutes; it says who.
    """
    parts = "".join(f", part_{number} AS ({statement})" for number, statement in enumerate(statements))
    # Row by row through the indexes, whatever the statistics say: no batch may read the whole table.
    batch = f"""
        SET LOCAL lock_timeout = '{LONGEST_WAIT}';
        SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
        WITH ids AS MATERIALIZED (SELECT id FROM {table} WHERE id > {{after}} ORDER BY id LIMIT {BATCH}),
        batch AS MATERIALIZED (
            SELECT r.* FROM {table} r WHERE r.id > {{after}} AND r.id <= (SELECT max(id) FROM ids) AND {rows}
            ORDER BY r.id FOR UPDATE SKIP LOCKED
        ){parts}
        SELECT (SELECT max(id) FROM ids), (
            SELECT min(r.id) FROM {table} r WHERE r.id > {{after}} AND r.id <= (SELECT max(id) FROM ids)
            AND r.id NOT IN (SELECT id FROM batch) AND {rows} AND {only}
        )
    """
    patience = Patience([table])
    first: int | None = LEAST_ID
    while first is not None:
        after, first = first - 1, None
        while (done := run_patiently(batch.format(after=after), [table])) and done[0] is not None:
            after, skipped = done
            first = skipped if first is None else first
            patience.report(f"rows up to id {after} are done")
        if first is not None:
            patience.wait()
    logger.info("%s: all rows are done", table)


def run_patiently(script: str, tables: Sequence[str]) -> Sequence[Any] | None:
    """Send statements as one transaction until nobody is in their way; return the first row of the last one."""
    patience = Patience(tables)
    while True:
        try:
            with own_transactions() as connection:
                # Without parameters it travels as one message, which the server takes as one transaction.
                result = connection.exec_driver_sql(script)
                return result.first() if result.returns_rows else None
        except DBAPIError as error:
            if sqlstate(error.orig) not in IN_THE_WAY:
                raise
        patience.wait()


def leave_transaction(connection: Connection, options: Mapping[str, object]) -> None:
    """Let an autocommit block begin outside any transaction.

    Alembic reads the isolation level just before, and with stock pg8000 that query opens a transaction of which
    SQLAlchemy does not know.
    """
    if options.get("isolation_level") == "AUTOCOMMIT":
        connection.connection.rollback()


@contextmanager
def outside_steps(connection: Connection) -> Iterator[None]:
    """Let the functions of this module work on a connection that runs no step of alembic's."""
    event.listen(connection, "set_connection_execution_options", leave_transaction)
    try:
        with Operations.context(MigrationContext.configure(connection)):
            yield
    finally:
        event.remove(connection, "set_connection_execution_options", leave_transaction)
        connection.rollback()


@contextmanager
def own_transactions() -> Iterator[Connection]:
    """Let each statement be a transaction by itself."""
    with op.get_context().autocommit_block():
        yield op.get_bind()


class Patience:
    """Waits for transactions that hold locks on some tables, and logs which processes they belong to."""

    def __init__(self, tables: Sequence[str]) -> None:
        self.name = " and ".join(tables) or "the new tables"
        self.tables = tables
        self.since: float | None = None
        self.reported_at = time.monotonic()

    def wait(self) -> None:
        """Let others go on for a while.

        Raises
        ------
        CommandError: the first call was minutes ago.
        """
        with own_transactions() as connection:
            others = [
                f"process {pid} ({application or 'no application_name'}, {state}, in a transaction for {seconds} s)"
                for pid, application, state, seconds in connection.execute(HOLDERS, {"tables": list(self.tables)})
            ]
        in_the_way = f"waiting for {', '.join(others) or 'others'}"
        self.since = self.since or time.monotonic()
        if time.monotonic() - self.since > PATIENCE_SECONDS:
            raise CommandError(
                f"{self.name}: {in_the_way}; given up: end what that does, or upgrade again later, which goes on here"
            )
        self.report(in_the_way)
        time.sleep(PAUSE_SECONDS)

    def report(self, what: str) -> None:
        """Log the progress, at most once in `REPORT_SECONDS`."""
        if time.monotonic() - self.reported_at > REPORT_SECONDS:
            self.reported_at = time.monotonic()
            logger.info("%s: %s", self.name, what)

"""Whether the database can serve requests and has the schema that this code expects."""

from dataclasses import dataclass

from sqlalchemy import Connection, Text, cast, column, func, literal, select, table
from sqlalchemy.dialects.postgresql import REGCLASS

from goatedvips.errors import DatabaseUnavailable, SchemaOutdated
from goatedvips.models.schema import REVISION


@dataclass(frozen=True, slots=True)
class Schema:
    """Two revisions of the schema: the one that this code expects, and the database's."""

    expected: str
    actual: str


# Alembic's own table has no model. Its comment is what `migrations.upgrade` wrote: a revision, and those before it.
_select_state = select(
    column("version_num", Text),
    (func.current_setting("transaction_read_only") == "on").label("read_only"),
    func.obj_description(cast(literal("alembic_version"), REGCLASS), "pg_class").label("history"),
).select_from(table("alembic_version"))


def check(connection: Connection) -> Schema:
    """Compare the database's revision with the one that this code expects.

    During a deployment the database is ahead of the code, which works on the newer schema, because migrations only add.

    Raises
    ------
    DatabaseUnavailable: the server is read-only, as after a fail-over; the connection is closed, so that the next check
        reaches the present writer.
    SchemaOutdated: with both revisions; the database has not had the one of this code.
    """
    rows = connection.execute(_select_state).all()
    if any(row.read_only for row in rows):
        connection.invalidate()
        raise DatabaseUnavailable(retry_after=1, reason="the server is read-only")
    actual = ", ".join(row.version_num for row in rows)
    if actual != REVISION and REVISION not in _earlier(actual, rows[0].history if rows else None):
        raise SchemaOutdated(retry_after=5, database="ok", schema={"expected": REVISION, "actual": actual})
    return Schema(REVISION, actual)


def _earlier(revision: str, history: str | None) -> list[str]:
    """Return the revisions before one, if the history is that one's."""
    newest, _, earlier = (history or "").partition(" ")
    return earlier.split() if newest == revision else []

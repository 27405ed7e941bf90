"""Whether the database can serve requests and has the schema that this code expects."""

from dataclasses import dataclass

from sqlalchemy import Connection, Text, column, func, select, table

from goatedvips.errors import DatabaseUnavailable, SchemaOutdated
from goatedvips.models.schema import REVISION


@dataclass(frozen=True, slots=True)
class Schema:
    """Two revisions of the schema: the one that this code expects, and the database's."""

    expected: str
    actual: str


# Alembic's own table has no model.
_select_state = select(
    column("version_num", Text), (func.current_setting("transaction_read_only") == "on").label("read_only")
).select_from(table("alembic_version"))


def check(connection: Connection) -> Schema:
    """Compare the database's revision with the one that this code expects.

    Raises
    ------
    DatabaseUnavailable: the server is read-only, as after a fail-over; the connection is closed, so that the next check
        reaches the present writer.
    SchemaOutdated: with both revisions. During a deployment the database can also be ahead of the code.
    """
    rows = connection.execute(_select_state).all()
    if any(row.read_only for row in rows):
        connection.invalidate()
        raise DatabaseUnavailable(retry_after=1, reason="the server is read-only")
    actual = ", ".join(row.version_num for row in rows)
    if actual != REVISION:
        raise SchemaOutdated(retry_after=5, database="ok", schema={"expected": REVISION, "actual": actual})
    return Schema(REVISION, actual)

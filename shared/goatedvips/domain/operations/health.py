"""Whether the database answers, and whether it is the one that this code was written for."""

from dataclasses import dataclass

from sqlalchemy import Connection, Text, column, select, table

from goatedvips.errors import SchemaOutdated
from goatedvips.models.schema import REVISION


@dataclass(frozen=True, slots=True)
class Schema:
    """The revision that this code expects, and the database's."""

    expected: str
    actual: str


# Alembic's own table is in no model.
_actual = select(column("version_num", Text)).select_from(table("alembic_version"))


def check(connection: Connection) -> Schema:
    """Compare the database's revision with what this code expects.

    Raises
    ------
    SchemaOutdated: with both revisions; the database may also be ahead, while a deployment is under way.
    """
    actual = ", ".join(connection.execute(_actual).scalars())
    if actual != REVISION:
        raise SchemaOutdated(retry_after=5, database="ok", schema={"expected": REVISION, "actual": actual})
    return Schema(REVISION, actual)

"""The ids of the rows that prevent a missing key, foreign key or NOT NULL from being created.

A query that fails finds no rows: a column that is missing or of another type has a line of its own.
"""

from collections.abc import Sequence

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, and_, exists, func, or_, select, tuple_
from sqlalchemy import table as named_table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import ForeignKeyConstraint, UniqueConstraint


def nulls(connection: Connection, table: Table, column: str) -> list[object]:
    """Return the rows without a value."""
    return _ids(connection, select(_first_of_key(table)).where(table.c[column].is_(None)))


def doubled(
    connection: Connection, table: Table, columns: Sequence[str], where: ColumnElement[bool] | None = None
) -> list[object]:
    """Return the rows with equal values in these columns, among those that meet the condition."""
    return _ids(connection, _doubled(table, [table.c[column] for column in columns], where))


def _first_of_key(table: Table) -> Column[object]:
    """Return the column that rows are named by: `id`, or else the first one of the primary key or of the table."""
    return table.c["id"] if "id" in table.c else next(iter((*table.primary_key.columns, *table.c)))


def _doubled(table: Table, columns: list[Column[object]], where: ColumnElement[bool] | None = None) -> Select[object]:
    which = () if where is None else (where,)
    twice = select(*columns).where(*which).group_by(*columns).having(func.count() > 1)
    return select(_first_of_key(table)).where(tuple_(*columns).in_(twice), *which)


def primary(connection: Connection, table: Table) -> list[object]:
    """Return the rows whose primary key is null or not unique."""
    columns = list(table.primary_key.columns)
    lacking = select(_first_of_key(table)).where(or_(*(column.is_(None) for column in columns)))
    return _ids(connection, _doubled(table, columns)) + _ids(connection, lacking)


def orphans(connection: Connection, table: Table, column: str) -> list[object]:
    """Return the rows that refer to a row that does not exist."""
    referents = [key.column for key in table.c[column].foreign_keys]
    other = referents[0].table.alias("other")
    is_there = exists().where(other.c[referents[0].name] == table.c[column])
    return _ids(connection, select(_first_of_key(table)).where(and_(table.c[column].is_not(None), ~is_there)))


def by_name(connection: Connection, table: Table, name: str | None) -> list[object]:
    """Return the rows that violate the constraint or unique index of this name."""
    for constraint in table.constraints:
        if constraint.name == name and isinstance(constraint, ForeignKeyConstraint):
            return orphans(connection, table, constraint.column_keys[0])
        if constraint.name == name and isinstance(constraint, UniqueConstraint):
            return doubled(connection, table, constraint.columns.keys())
    for index in table.indexes:
        if index.name == name and index.unique:
            where = index.dialect_options["postgresql"]["where"]
            return doubled(connection, table, index.columns.keys(), where)
    return []


def rounded(connection: Connection, table: Table, column: Column[object]) -> list[object]:
    """Return the rows whose number has more decimals than the column's declared scale."""
    scale = getattr(column.type, "scale", None)
    if not isinstance(scale, int):
        return []
    return _ids(connection, select(_first_of_key(table)).where(column != func.round(column, scale)))


def has_rows(connection: Connection, table: str) -> bool:
    """Whether the table has rows."""
    return bool(_ids(connection, select(1).select_from(named_table(table)).limit(1)))


def _ids(connection: Connection, rows: Select[object]) -> list[object]:
    try:
        with connection.begin_nested():
            return sorted({*connection.scalars(rows)}, key=lambda id_: (id_ is None, id_))
    except DBAPIError:
        return []

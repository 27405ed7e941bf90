"""Rows for tests: written straight into a table, after its insert schema has validated them."""

from typing import Any

import sqlalchemy as sa

from goatedvips.validators.tables import insert_schema


def insert_row(database: sa.Engine, table: sa.Table, **columns: Any) -> int:
    """Insert a row and return its id.

    Raises
    ------
    ValidationError: the table has no such column, or cannot store a value unchanged.
    """
    row = insert_schema(table).model_validate(columns).values()
    with database.connect() as connection:
        return int(connection.execute(sa.insert(table).values(row).returning(table.c.id)).scalar_one())

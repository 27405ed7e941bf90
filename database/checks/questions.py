"""Queries for rows that need a decision, and the rows that they find."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Select

type Found = Select[int, int | None]
type Columns = Mapping[str, set[str]]
"""The names of each table's columns."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """Rows of one table that need the same decision."""

    table: str
    what: str
    do: str
    rows: list[tuple[int, int | None]]
    """The id of each row, and the id of the row that has the key that it would have, if any."""
    is_note: bool = False
    """Nothing has to be decided: the platform works with them."""


@dataclass(frozen=True, slots=True)
class Question:
    """A query for rows of one table that need the same decision."""

    table: str
    needs: frozenset[str]
    """The columns that it needs."""
    what: str
    do: str
    rows: Found
    is_note: bool = False


def answer(connection: Connection, question: Question) -> Undecided | None:
    """Return the rows of a question; None if there are none."""
    first = question.rows.selected_columns[0]
    rows = [(id_, other) for id_, other in connection.execute(question.rows.order_by(first))]
    return Undecided(question.table, question.what, question.do, rows, question.is_note) if rows else None

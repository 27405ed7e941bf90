"""Queries for rows that need a decision, and the rows that they find."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select

from database.checks.finding import Command

type Columns = Mapping[str, set[str]]
"""The names of each table's columns."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What some rows have in common, and the decision that they need."""

    what: str
    do: str
    is_note: bool = False
    """Nothing has to be decided: the platform works with them."""
    command: Command | None = None
    """As in `Finding.kind`."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """Rows of one table that need the same decision."""

    table: str
    what: str
    do: str
    rows: list[tuple[int, int | None]]
    """The id of each row, and the id of the row that has the key that it would have, if any."""
    is_note: bool = False
    """As in `Kind`."""
    command: Command | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A query for rows of one table that need a decision.

    Parameters
    ----------
    needs: the columns that it needs.
    rows: `id`, the id of the row that has the key that it would have, and, if there are several kinds, whether it is of
        the kind, for each in their order.
    """

    table: str
    needs: frozenset[str]
    kinds: tuple[Kind, ...]
    rows: Select[*tuple[Any, ...]]


def answer(connection: Connection, question: Question) -> Iterator[Undecided]:
    """Yield the rows of a question by their kinds; nothing for a kind without rows."""
    first = question.rows.selected_columns[0]
    found: list[list[tuple[int, int | None]]] = [[] for _ in question.kinds]
    for id_, other, *is_of in connection.execute(question.rows.order_by(first)):
        for rows, is_one in zip(found, is_of or [True], strict=True):
            if is_one:
                rows.append((id_, other))
    for kind, rows in zip(question.kinds, found, strict=True):
        if rows:
            yield Undecided(question.table, kind.what, kind.do, rows, kind.is_note, kind.command)

"""Lists in pages (keyset): a page starts after the last item of the page before, so no item is counted or skipped.

A list has a `Keyset`, its statement is made by `Keyset.page_of`, and `newest` executes it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, BindParameter, ColumnElement, Connection, Row, Select, Text, bindparam, tuple_
from sqlalchemy.types import TypeEngine

from goatedvips.cursors import INSTANT, INTEGER, TEXT, Cursors, Kind, Page, parameter_of
from goatedvips.models.schema import Instant

__all__ = ["PAGE_ROWS", "Keyset", "Page", "newest"]

PAGE_ROWS = bindparam("page_rows", type_=BigInteger)
"""One row more than the page has items: it shows whether another page follows."""
_TYPES: dict[Kind, TypeEngine[Any]] = {INTEGER: BigInteger(), INSTANT: Instant(), TEXT: Text()}


def _kind_of(column: ColumnElement[Any]) -> Kind:
    return INSTANT if isinstance(column.type, Instant) else TEXT if isinstance(column.type, Text) else INTEGER


class Keyset(Cursors):
    """The sort key of a list: columns that no two of its items have the same values in.

    Parameters
    ----------
    columns: integers, instants or texts, the most significant first. Texts only in ascending order, and with the
        collation "C": the cursor has them.
    ascending: the smallest key comes first; otherwise the largest.
    names: the names of the columns in the rows, if they are not the columns' own.
    list_name: tells lists with equal columns apart, so that neither takes the other's cursors.
    """

    def __init__(
        self, *columns: ColumnElement[Any], ascending: bool = False, names: Sequence[str] = (), list_name: str = ""
    ) -> None:
        kinds = {str(column): _kind_of(column) for column in columns}
        names = names or [str(column.key) for column in columns]
        super().__init__(kinds, ascending=ascending, names=names, list_name=list_name)
        self._columns = columns
        self._binds: list[BindParameter[Any]] = [
            bindparam(parameter_of(name), type_=_TYPES[kind]) for name, kind in zip(self.names, self.kinds, strict=True)
        ]

    @property
    def is_after(self) -> ColumnElement[bool]:
        """Whether an item comes after the position that `parameters` gives."""
        return self.has_passed(*self._columns)

    def has_passed(self, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
        """As `is_after`, for other columns or expressions that the list's columns come from."""
        one = len(columns) == 1
        key, position = (columns[0], self._binds[0]) if one else (tuple_(*columns), tuple_(*self._binds))
        return key > position if self._ascending else key < position

    @property
    def order(self) -> list[ColumnElement[Any]]:
        """What the list is ordered by."""
        return [column.asc() if self._ascending else column.desc() for column in self._columns]

    def page_of[S: Select[Any]](self, items: S) -> S:
        """Return the statement of one page of `items`, bound to `parameters`."""
        return items.where(self.is_after).order_by(*self.order).limit(PAGE_ROWS)


def newest[Item](
    connection: Connection,
    statement: Select[Any],
    parameters: Mapping[str, object],
    make: Callable[[Row[Any]], Item],
    *,
    by: Keyset,
    limit: int,
    cursor: str | None,
    refuse: Callable[[], None] = lambda: None,
) -> Page[Item]:
    """Return a page of a list.

    Parameters
    ----------
    statement: as `by.page_of` made it.  A row without a key is no item: it only shows that the list itself exists.
    make: makes an item of a row.
    limit: how many items a page has at most.
    cursor: the `next_cursor` of the page before; none: the list's beginning.
    refuse: called if there is no row at all, to raise the reason.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    """
    rows = connection.execute(statement, {**parameters, **by.parameters(limit, cursor)}).all()
    if not rows:
        refuse()
    page, next_cursor = by.cut([row for row in rows if row._mapping[by.names[0]] is not None], limit)
    return Page([make(row) for row in page], next_cursor)

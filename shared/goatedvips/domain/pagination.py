"""Lists in pages (keyset): a page starts after the last item of the page before, so no item is counted or skipped.

A list has a `Keyset`, its statement is made by `Keyset.page_of`, and `newest` executes it.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, BindParameter, ColumnElement, Connection, Row, Select, bindparam, tuple_

from goatedvips.errors import ValidationFailed
from goatedvips.models.schema import Instant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"[0-9]{1,10}(,-?[0-9]{1,18})+")
_FIRST_INSTANT = datetime.min.replace(tzinfo=UTC)
_LAST_INSTANT = datetime.max.replace(tzinfo=UTC)
_BEYOND_ALL = 2**63 - 1  # larger than any id

PAGE_ROWS = bindparam("page_rows", type_=BigInteger)
"""One row more than the page has items: it shows whether another page follows."""


@dataclass(frozen=True, slots=True)
class Page[Item]:
    """A page of a list. The last page has no cursor."""

    items: Sequence[Item]
    next_cursor: str | None


class Keyset:
    """The sort key of a list: columns that no two of its items have the same values in.

    Parameters
    ----------
    columns: integers or instants, the most significant first.
    ascending: the smallest key comes first; otherwise the largest.
    names: the names of the columns in the rows, if they are not the columns' own.
    """

    def __init__(self, *columns: ColumnElement[Any], ascending: bool = False, names: Sequence[str] = ()) -> None:
        self.names = tuple(names) or tuple(str(column.key) for column in columns)
        self._columns = columns
        self._ascending = ascending
        self._are_instants = tuple(isinstance(column.type, Instant) for column in columns)
        self._binds: list[BindParameter[Any]] = [
            bindparam(f"after_{name}", type_=column.type if is_instant else BigInteger())
            for name, column, is_instant in zip(self.names, columns, self._are_instants, strict=True)
        ]
        # A cursor has the list's mark in front, so that no list takes another one's cursor.
        self._mark = zlib.crc32(f"{[str(column) for column in columns]} {ascending}".encode())

    @property
    def is_after(self) -> ColumnElement[bool]:
        """Whether an item comes after the position that `parameters` gives."""
        one = len(self._columns) == 1
        key, position = (self._columns[0], self._binds[0]) if one else (tuple_(*self._columns), tuple_(*self._binds))
        return key > position if self._ascending else key < position

    @property
    def order(self) -> list[ColumnElement[Any]]:
        """What the list is ordered by."""
        return [column.asc() if self._ascending else column.desc() for column in self._columns]

    def page_of[S: Select[Any]](self, items: S) -> S:
        """Return the statement of one page of `items`, bound to `parameters`."""
        return items.where(self.is_after).order_by(*self.order).limit(PAGE_ROWS)

    def parameters(self, limit: int, cursor: str | None) -> dict[str, object]:
        """Return what a page's statement is bound to.

        Raises
        ------
        ValidationFailed: the cursor is not one of this list.
        """
        position = self._first() if cursor is None else self._decode(cursor)
        return dict(zip((bind.key for bind in self._binds), position, strict=True)) | {"page_rows": limit + 1}

    def cut(self, rows: Sequence[Row[Any]], limit: int) -> tuple[Sequence[Row[Any]], str | None]:
        """Return the rows of the page, and the cursor of the next page if there is one."""
        page = rows[:limit]
        return page, self._encode(page[-1]._mapping) if len(rows) > limit else None

    def _first(self) -> list[object]:
        before_all = (_FIRST_INSTANT, -_BEYOND_ALL) if self._ascending else (_LAST_INSTANT, _BEYOND_ALL)
        return [before_all[0] if is_instant else before_all[1] for is_instant in self._are_instants]

    def _encode(self, row: Mapping[Any, Any]) -> str:
        numbers = [
            (row[name] - _EPOCH) // timedelta(microseconds=1) if is_instant else row[name]
            for name, is_instant in zip(self.names, self._are_instants, strict=True)
        ]
        return base64.urlsafe_b64encode(",".join(map(str, [self._mark, *numbers])).encode()).decode()

    def _decode(self, cursor: str) -> list[object]:
        try:
            text = base64.urlsafe_b64decode(cursor.encode("ascii")).decode("ascii")
        except (binascii.Error, UnicodeError):
            text = ""
        mark, *numbers = map(int, text.split(",")) if _CURSOR.fullmatch(text) else (None,)
        is_ours = mark == self._mark and base64.urlsafe_b64encode(text.encode()).decode() == cursor
        try:
            position: list[object] = [
                _EPOCH + timedelta(microseconds=number) if is_instant else number
                for number, is_instant in zip(numbers, self._are_instants, strict=True)
            ]
        except (OverflowError, ValueError):  # an instant that no calendar has; more or fewer numbers than columns
            is_ours = False
        if not is_ours:
            raise ValidationFailed(errors=[{"pointer": "/cursor", "detail": "must be a next_cursor of this list"}])
        return position


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

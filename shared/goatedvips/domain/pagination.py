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
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, BindParameter, ColumnElement, Connection, Row, Select, Text, bindparam, tuple_
from sqlalchemy.types import TypeEngine

from goatedvips.errors import ValidationFailed
from goatedvips.models.schema import Instant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"[0-9]{1,10}(,(-?[0-9]{1,18}|x([0-9a-f]{2})*))+")
_BEYOND_ALL = 2**63 - 1  # larger than any id

PAGE_ROWS = bindparam("page_rows", type_=BigInteger)
"""One row more than the page has items: it shows whether another page follows."""


@dataclass(frozen=True, slots=True)
class Page[Item]:
    """A page of a list. The last page has no cursor."""

    items: Sequence[Item]
    next_cursor: str | None


class _Kind(NamedTuple):
    """How a cursor has the values of a type."""

    type: TypeEngine[Any]
    first: object
    last: object
    encode: Callable[[Any], str]
    decode: Callable[[str], object]


def _decode_text(value: str) -> str:
    """Decode a text of a cursor.

    Raises
    ------
    ValueError: it is none, or not one that the database can have.
    """
    text = bytes.fromhex(value.removeprefix("x")).decode() if value.startswith("x") else "\0"
    if "\0" in text:
        raise ValueError(value)
    return text


_INTEGER = _Kind(BigInteger(), -_BEYOND_ALL, _BEYOND_ALL, str, int)
_INSTANT = _Kind(
    Instant(),
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
    lambda instant: str((instant - _EPOCH) // timedelta(microseconds=1)),
    lambda value: _EPOCH + timedelta(microseconds=int(value)),
)
_TEXT = _Kind(Text(), "", None, lambda text: f"x{text.encode().hex()}", _decode_text)


def _kind_of(column: ColumnElement[Any]) -> _Kind:
    return _INSTANT if isinstance(column.type, Instant) else _TEXT if isinstance(column.type, Text) else _INTEGER


class Keyset:
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
        self.names = tuple(names) or tuple(str(column.key) for column in columns)
        self._columns = columns
        self._ascending = ascending
        self._kinds = tuple(_kind_of(column) for column in columns)
        self._binds: list[BindParameter[Any]] = [
            bindparam(f"after_{name}", type_=kind.type) for name, kind in zip(self.names, self._kinds, strict=True)
        ]
        # A cursor has the list's mark in front, so that no list takes another one's cursor.
        self._mark = zlib.crc32(f"{[str(column) for column in columns]} {ascending} {list_name}".encode())

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
        return page, self.cursor_after(page[-1]._mapping) if len(rows) > limit else None

    def _first(self) -> list[object]:
        return [kind.first if self._ascending else kind.last for kind in self._kinds]

    def cursor_after(self, row: Mapping[Any, Any]) -> str:
        """Return the cursor of the page that starts after a row.

        Parameters
        ----------
        row: has the columns of the key by their names.
        """
        values = [kind.encode(row[name]) for name, kind in zip(self.names, self._kinds, strict=True)]
        return base64.urlsafe_b64encode(",".join([str(self._mark), *values]).encode()).decode()

    def _decode(self, cursor: str) -> list[object]:
        try:
            text = base64.urlsafe_b64decode(cursor.encode("ascii")).decode("ascii")
        except (binascii.Error, UnicodeError):
            text = ""
        mark, *values = text.split(",") if _CURSOR.fullmatch(text) else ("",)
        is_ours = mark == str(self._mark) and base64.urlsafe_b64encode(text.encode()).decode() == cursor
        try:
            position = [kind.decode(value) for value, kind in zip(values, self._kinds, strict=True)]
        except (OverflowError, ValueError):  # no value of the column's type; more or fewer values than columns
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

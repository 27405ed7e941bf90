"""Cursors of lists in pages: each has the key of the last item of the page before.

Lists whose statements are compiled beforehand use this module only; `pagination` makes the statements.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from goatedvips.errors import ValidationFailed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"[0-9]{1,10}(,(-?[0-9]{1,18}|x([0-9a-f]{2})*))+")
_BEYOND_ALL = 2**63 - 1  # larger than any id


@dataclass(frozen=True, slots=True)
class Page[Item]:
    """A page of a list. The last page has no cursor."""

    items: Sequence[Item]
    next_cursor: str | None


class Kind(NamedTuple):
    """How a cursor has the values of a type."""

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


INTEGER = Kind(-_BEYOND_ALL, _BEYOND_ALL, str, int)
INSTANT = Kind(
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
    lambda instant: str((instant - _EPOCH) // timedelta(microseconds=1)),
    lambda value: _EPOCH + timedelta(microseconds=int(value)),
)
TEXT = Kind("", None, lambda text: f"x{text.encode().hex()}", _decode_text)


class Cursors:
    """The cursors of a list, which is sorted by columns that no two of its items have the same values in.

    Parameters
    ----------
    columns: the names of the columns with their tables, the most significant first, and the kinds of their values.
    ascending: the smallest key comes first; otherwise the largest.
    names: the names of the columns in the rows.
    list_name: tells lists with equal columns apart, so that neither takes the other's cursors.
    """

    def __init__(
        self, columns: Mapping[str, Kind], *, ascending: bool, names: Sequence[str], list_name: str = ""
    ) -> None:
        self.names = tuple(names)
        self.kinds = tuple(columns.values())
        self._ascending = ascending
        # A cursor has the list's mark in front, so that no list takes another one's cursor.
        self.mark = zlib.crc32(f"{[*columns]} {ascending} {list_name}".encode())

    def parameters(self, limit: int, cursor: str | None) -> dict[str, object]:
        """Return what a page's statement is bound to.

        Raises
        ------
        ValidationFailed: the cursor is not one of this list.
        """
        position = self._first() if cursor is None else self._decode(cursor)
        return dict(zip(map(parameter_of, self.names), position, strict=True)) | {"page_rows": limit + 1}

    def cut[R](self, rows: Sequence[R], limit: int) -> tuple[Sequence[R], str | None]:
        """Return the rows of the page, and the cursor of the next page if there is one."""
        page = rows[:limit]
        if len(rows) <= limit:
            return page, None
        return page, self.cursor_after({name: getattr(page[-1], name) for name in self.names})

    def _first(self) -> list[object]:
        return [kind.first if self._ascending else kind.last for kind in self.kinds]

    def cursor_after(self, row: Mapping[Any, Any]) -> str:
        """Return the cursor of the page that starts after a row.

        Parameters
        ----------
        row: has the columns of the key by their names.
        """
        values = [kind.encode(row[name]) for name, kind in zip(self.names, self.kinds, strict=True)]
        return base64.urlsafe_b64encode(",".join([str(self.mark), *values]).encode()).decode()

    def _decode(self, cursor: str) -> list[object]:
        try:
            text = base64.urlsafe_b64decode(cursor.encode("ascii")).decode("ascii")
        except (binascii.Error, UnicodeError):
            text = ""
        mark, *values = text.split(",") if _CURSOR.fullmatch(text) else ("",)
        is_ours = mark == str(self.mark) and base64.urlsafe_b64encode(text.encode()).decode() == cursor
        try:
            position = [kind.decode(value) for value, kind in zip(values, self.kinds, strict=True)]
        except (OverflowError, ValueError):  # no value of the column's type; more or fewer values than columns
            is_ours = False
        if not is_ours:
            raise ValidationFailed(errors=[{"pointer": "/cursor", "detail": "must be a next_cursor of this list"}])
        return position


def parameter_of(name: str) -> str:
    """Return the name of the parameter with the value that a column of this name has in the cursor."""
    return f"after_{name}"

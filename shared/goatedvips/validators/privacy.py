"""The document that a member gets of everything about them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Table

from goatedvips.validators.tables import select_schema

_JSON = TypeAdapter(dict[str, Any])


def document(exported_at: datetime, found: Iterable[tuple[Table, Sequence[Mapping[str, Any]]]]) -> Iterator[bytes]:
    """One JSON object, part by part: when it was made, the member, and the other tables as lists of rows.

    Parameters
    ----------
    found: the rows of one table after the other, some at a time; those of `users` are the member's one.
    """
    yield _JSON.dump_json({"exported_at": exported_at})[:-1]
    for table, parts in groupby(found, key=itemgetter(0)):
        rows = (_row(table, row) for _, part in parts for row in part)
        if table.name == "users":
            yield b',"member":' + next(rows)
        else:
            yield f',"{table.name}":['.encode()
            for number, row in enumerate(rows):
                yield b"," + row if number else row
            yield b"]"
    yield b"}"


def _row(table: Table, row: Mapping[str, Any]) -> bytes:
    """A row as the API writes it, without the columns that are not in it, and with what is beside them."""
    written = select_schema(table).model_construct(**row).model_dump(mode="json")
    return _JSON.dump_json(written | {name: value for name, value in row.items() if name not in table.columns})

"""The JSON document of a member's export."""

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
    """Yield one JSON object in parts: `exported_at`, `member`, and each other table as a list of rows.

    Parameters
    ----------
    found: batches of rows; all batches of a table in a row. `users` has exactly one row, the member's.
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
    """Write a row as the API writes its table's columns; computed values are added, absent columns stay absent."""
    written = select_schema(table).model_construct(**row).model_dump(mode="json")
    return _JSON.dump_json(written | {name: value for name, value in row.items() if name not in table.columns})

"""Values of Python in PostgreSQL's text format, and back.

Source: the input and output of types, https://www.postgresql.org/docs/current/datatype.html
"""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any


def nearest_instant(text: str) -> datetime:
    """Return the instant of a `timestamp` in UTC, or the nearest that Python has.

    PostgreSQL also has `infinity`, years BC and years after 9999.
    """
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        nearest = datetime.min if text.startswith("-") or text.endswith("BC") else datetime.max  # noqa: DTZ901
        return nearest.replace(tzinfo=UTC)


def _read_octets(text: str) -> bytes:
    return bytes.fromhex(text[2:])  # \x…


READERS: dict[int, Callable[[str], Any]] = {
    16: "t".__eq__,
    17: _read_octets,
    20: int,
    21: int,
    23: int,
    25: str,
    114: json.loads,
    1043: str,
    1082: date.fromisoformat,
    1114: nearest_instant,
    1700: Decimal,
    3802: json.loads,
}
"""By the ids of types in pg_type.dat: bool, bytea, int8, int2, int4, text, json, varchar, date, timestamp, numeric and
jsonb. A column of any other type is an unreadable answer."""

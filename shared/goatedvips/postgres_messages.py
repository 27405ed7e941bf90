"""The messages that a client sends to PostgreSQL for one statement: all of them together, which is one flight.

With one Sync for all of them, a statement takes one round trip, and a transaction pooler cannot spread it over two
server connections.

Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from struct import Struct

INT32, INT16 = Struct("!i"), Struct("!H")
_UNNAMED = b"\0"  # of a prepared statement and of a portal; a pooler can share a server connection only without names


def frame(kind: bytes, body: bytes = b"") -> bytes:
    """Return a message: its kind (one byte), its length without the kind, and its body."""
    return kind + INT32.pack(len(body) + 4) + body


_DESCRIBE_EXECUTE_SYNC = frame(b"D", b"P" + _UNNAMED) + frame(b"E", _UNNAMED + INT32.pack(0)) + frame(b"S")


def simple_query(statement: bytes) -> bytes:
    """Return the message of a statement without parameters, which may consist of several commands."""
    return frame(b"Q", statement + b"\0")


def extended_query(statement: bytes, values: Sequence[bytes | None], oids: Sequence[int] = ()) -> bytes:
    """Return Parse, Bind, Describe, Execute and Sync for one statement.

    Parameters
    ----------
    statement: SQL with `$1` … placeholders.
    values: one value for each placeholder, in PostgreSQL's text format; None for NULL.
    oids: the types of the first values; -1 leaves a type to the server, as for all others.
    """
    types = b"".join(INT32.pack(0 if oid == -1 else oid) for oid in oids)
    return frame(b"P", _UNNAMED + statement + b"\0" + INT16.pack(len(oids)) + types) + bind_and_execute(values)


@cache
def parse(statement: str) -> bytes:
    """Return Parse for a statement with types of its own (`$1::INTEGER`). It is the same at each execution."""
    return frame(b"P", _UNNAMED + statement.encode() + b"\0" + INT16.pack(0))


def bind_and_execute(values: Sequence[bytes | None]) -> bytes:
    """Return Bind, Describe, Execute and Sync, which follow Parse."""
    bind = bytearray(_UNNAMED + _UNNAMED + INT16.pack(0) + INT16.pack(len(values)))
    for value in values:
        bind += INT32.pack(-1) if value is None else INT32.pack(len(value)) + value
    bind += INT16.pack(0)  # all columns in the text format
    return frame(b"B", bytes(bind)) + _DESCRIBE_EXECUTE_SYNC


def encode(value: object) -> bytes | None:
    """Return a value in PostgreSQL's text format, an instant as a `timestamp` in UTC; None for NULL.

    Raises
    ------
    ValueError: an instant without a time zone.
    """
    if value is None:
        return None
    if isinstance(value, bytes):
        return b"\\x" + value.hex().encode()
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"an instant needs a time zone: {value.isoformat()}")
        return value.astimezone(UTC).replace(tzinfo=None).isoformat().encode()
    return str(value).encode()

"""A connection to PostgreSQL without SQLAlchemy and pg8000, whose import takes 200 ms.

The authorizer sends its statements with it, each in one flight and in autocommit mode, and reads integers and booleans.
`goatedvips.light_db` sends those of the handlers that a member waits for.  `goatedvips.one_flight` sends the same
messages for all other handlers.
"""

import logging
from collections.abc import Callable, Mapping
from struct import Struct
from time import monotonic, perf_counter

from goatedvips.compiled import Compiled
from goatedvips.config import settings
from goatedvips.postgres_errors import UNUSABLE, reason_of, sqlstate
from goatedvips.postgres_messages import INT16, INT32, bind_and_execute, encode, parse
from goatedvips.postgres_server import IDLE_LIMIT, Server
from goatedvips.postgres_wire import Connection, ConnectionLost, DatabaseError, Decode, Refused

logger = logging.getLogger("goatedvips.db")

WRITE_WITHIN = 1.0  # seconds that a read may have taken before a write that may be lost

_COLUMN = Struct("!ihihih")
_READERS: dict[int, Callable[[bytes], int]] = {16: b"t".__eq__, 20: int, 21: int, 23: int}
"""By the ids of types in pg_type.dat: bool, int8, int2 and int4 in the text format; none of them can be empty."""

type Parameters = Mapping[str, object]
type Rows = list[list[int]]


class Database:
    """One connection, made at the first statement and again when it was lost or was unused for `IDLE_LIMIT`.

    Parameters
    ----------
    log_queries: whether every statement is logged with its milliseconds.
    """

    def __init__(self, server: Server, *, log_queries: bool = False) -> None:
        self.server = server
        self._log_queries = log_queries
        self._connection: Connection | None = None
        self._used = 0.0  # when it connected, or the last statement ended
        self._read_began = 0.0

    @property
    def in_transaction(self) -> bool:
        """Whether the server has begun a transaction that has not ended."""
        return self._connection is not None and self._connection.in_transaction

    @property
    def has_failed(self) -> bool:
        """Whether its transaction can only be rolled back."""
        return self._connection is not None and self._connection.has_failed

    def read(self, statement: Compiled, parameters: Parameters) -> Rows:
        """Return the rows of a statement that only reads. It is sent again once after a lost connection.

        Raises
        ------
        DatabaseError
        """
        self._read_began = monotonic()
        try:
            return self._run(statement, parameters)
        except ConnectionLost:
            return self._run(statement, parameters)

    def try_write(self, statement: Compiled, parameters: Parameters) -> None:
        """Execute a statement whose effect may be lost; a failure is only logged.

        Nothing is sent if the read before it took longer than `WRITE_WITHIN`: the caller would wait too long.
        """
        if monotonic() - self._read_began > WRITE_WITHIN:
            return
        try:
            self._run(statement, parameters)
        except DatabaseError as error:
            logger.warning("lost: %s", describe(error))
            self.close()  # a server that became read-only would refuse the next write too

    def open(self) -> None:
        """Connect, unless there is a connection that was used a short time ago.

        Raises
        ------
        Unreachable
        """
        if monotonic() - self._used > IDLE_LIMIT:
            self.close()
        if self._connection is None:
            self._connection = Connection(self.server)
            self._used = monotonic()

    def fly[T](self, text: str, flight: bytes, parts: int, decode: Decode[T]) -> T:
        """Send a flight on the open connection, and return what `decode` makes of its rows.

        The connection is closed if it broke or its answer could not be read: the unread rest would be taken for the
        next answer.

        Parameters
        ----------
        text: the statement, for the log.
        parts: how many Syncs and simple queries the flight contains.

        Raises
        ------
        ConnectionLost, Refused, UnreadableAnswer
        """
        if self._connection is None:
            raise ConnectionLost("the connection was closed before")
        started = perf_counter()
        try:
            answer, row_count = self._connection.exchange(flight, parts, decode)
        except BaseException as error:
            if not isinstance(error, Refused) or sqlstate(error) in UNUSABLE:
                self.close()
            raise
        finally:
            self._used = monotonic()
        if self._log_queries:
            milliseconds = round((perf_counter() - started) * 1000, 2)
            logger.info("query", extra={"statement": text, "milliseconds": milliseconds, "rows": row_count})
        return answer

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _run(self, statement: Compiled, parameters: Parameters) -> Rows:
        flight = parse(statement.text) + bind_and_execute([encode(parameters[name]) for name in statement.parameters])
        self.open()
        return self.fly(statement.text, flight, 1, _rows)


def make_database(url: str) -> Database:
    """Return a database that nothing is connected to yet.

    Parameters
    ----------
    url: postgresql://user[:password]@host:port/database
    """
    server = Server(
        url,
        iam=settings.database_iam,
        ca_file=settings.database_ca_file,
        timeout=settings.database_socket_timeout,
    )
    return Database(server, log_queries=settings.query_log)


def describe(error: DatabaseError) -> str:
    """Return an error's code and message for the log; they contain no value of a statement."""
    return reason_of(error)


def _rows(description: bytes, rows: list[bytes]) -> Rows:
    """Return the values of the rows, which are integers and booleans."""
    types = _types(description) if description else []
    return [_row(row, types) for row in rows]


def _types(description: bytes) -> list[int]:
    """Return the ids of the columns' types from a RowDescription."""
    types, position = [], INT16.size
    for _ in range(*INT16.unpack_from(description)):
        position = description.index(b"\0", position) + 1
        types.append(_COLUMN.unpack_from(description, position)[2])
        position += _COLUMN.size
    return types


def _row(data: bytes, types: list[int]) -> list[int]:
    """Return the values of a DataRow.

    Raises
    ------
    KeyError: a column has a type that is not read here.
    ValueError: a value is NULL.
    """
    row: list[int] = []
    position = INT16.size
    for type_id in types:
        start = position + INT32.size
        position = start + INT32.unpack_from(data, position)[0]
        row.append(_READERS[type_id](data[start:position]))
    return row

"""A connection to PostgreSQL for the authorizer, without SQLAlchemy and pg8000, whose import takes 200 ms.

It sends statements that were compiled beforehand, each in one flight and in autocommit mode, and reads integers and
booleans.  `goatedvips.one_flight` sends the same messages for all other handlers.

Protocol: https://www.postgresql.org/docs/current/protocol-flow.html
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from struct import Struct
from time import monotonic, perf_counter

from goatedvips.postgres_errors import fields_of, message, sqlstate
from goatedvips.postgres_messages import INT16, INT32, extended_query, frame
from goatedvips.postgres_server import IDLE_LIMIT, Server

logger = logging.getLogger("goatedvips.db")

WRITE_WITHIN = 1.0  # seconds that a read may have taken before a write that may be lost

_PROTOCOL = INT32.pack(196608)  # version 3.0
_HEADER, _COLUMN = Struct("!ci"), Struct("!ihihih")
_READERS: dict[int, Callable[[bytes], int]] = {16: b"t".__eq__, 20: int, 21: int, 23: int}
"""By the ids of types in pg_type.dat: bool, int8, int2 and int4 in the text format; none of them can be empty."""
_OK, _CLEARTEXT_PASSWORD, _SASL, _SASL_CONTINUE, _SASL_FINAL = 0, 3, 10, 11, 12

type Statement = tuple[str, tuple[str, ...]]
"""SQL with `$1` …, and the names of these parameters in their order."""
type Parameters = Mapping[str, bytes | datetime | int]
type Rows = list[list[int]]


class DatabaseError(Exception):
    """A statement has no answer."""


class Unreachable(DatabaseError):
    """No connection could be made, so no statement was sent."""


class ConnectionLost(DatabaseError):
    """The connection broke during a statement: whether the statement took effect is unknown."""


class UnreadableAnswer(DatabaseError):
    """The server answered what this client cannot read, such as a column of another type."""


class Refused(DatabaseError):
    """The server refused the statement; the connection can go on. The argument is a dict of the error's fields."""


class Database:
    """One connection, made at the first statement and again when it was lost or was unused for `IDLE_LIMIT`.

    Parameters
    ----------
    log_queries: whether every statement is logged with its milliseconds.
    """

    def __init__(self, server: Server, *, log_queries: bool = False) -> None:
        self.server = server
        self._log_queries = log_queries
        self._connection: _Connection | None = None
        self._used = 0.0  # when the last statement ended
        self._read_began = 0.0

    def read(self, statement: Statement, parameters: Parameters) -> Rows:
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

    def try_write(self, statement: Statement, parameters: Parameters) -> None:
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

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _run(self, statement: Statement, parameters: Parameters) -> Rows:
        if monotonic() - self._used > IDLE_LIMIT:
            self.close()
        if self._connection is None:
            self._connection = _Connection(self.server)
        started = perf_counter()
        try:
            rows = self._connection.run(statement, parameters)
        except BaseException as error:
            if not isinstance(error, Refused):  # the unread rest would be taken for the next answer
                self.close()
            raise
        finally:
            self._used = monotonic()
        if self._log_queries:
            milliseconds = round((perf_counter() - started) * 1000, 2)
            logger.info("query", extra={"statement": statement[0], "milliseconds": milliseconds, "rows": len(rows)})
        return rows


class _Connection:
    """An open connection.

    Raises
    ------
    Unreachable
    """

    def __init__(self, server: Server) -> None:
        try:
            self._socket = server.open_socket()
            self._answers = self._socket.makefile("rb")
            try:
                self._start(server)
            except BaseException:
                self.close()
                raise
        except Exception as error:  # whatever went wrong, no statement was sent
            raise Unreachable(fields_of(error) or str(error)) from error

    def run(self, statement: Statement, parameters: Parameters) -> Rows:
        """Send a statement and return its rows.

        Raises
        ------
        ConnectionLost, Refused, UnreadableAnswer
        """
        text, names = statement
        flight = extended_query(text.encode(), [_encode(parameters[name]) for name in names])
        columns: list[int] = []
        rows: Rows = []
        try:
            self._socket.sendall(flight)
            for kind, body in self._messages():
                if kind == b"T":
                    columns = _types(body)
                elif kind == b"D":
                    rows.append(_row(body, columns))
        except DatabaseError:
            raise
        except OSError as error:
            raise ConnectionLost(fields_of(error) or str(error)) from error
        except Exception as error:
            raise UnreadableAnswer(f"{type(error).__name__}: {error}") from error
        return rows

    def close(self) -> None:
        """Close the socket; say goodbye if that is possible."""
        with suppress(OSError):
            self._socket.sendall(frame(b"X"))
        self._answers.close()
        self._socket.close()

    def _start(self, server: Server) -> None:
        names = (b"user", server.user.encode(), b"database", server.database.encode(), b"")
        body = _PROTOCOL + b"\0".join(names) + b"\0"
        self._socket.sendall(INT32.pack(len(body) + 4) + body)
        for kind, answer in self._messages():
            if kind == b"R":
                self._authenticate(answer, server)

    def _authenticate(self, request: bytes, server: Server) -> None:
        """Answer one request of the server for authentication."""
        (method,) = INT32.unpack_from(request)
        if method == _OK:
            return
        if method == _CLEARTEXT_PASSWORD:  # an RDS Proxy asks so for an IAM token
            self._answer(_password(server).encode() + b"\0")
        elif method == _SASL:
            import scramp  # 20 ms, and not needed for an IAM token

            mechanisms = request[4:].rstrip(b"\0").decode().split("\0")
            self._scram = scramp.ScramClient(mechanisms, server.user, _password(server))
            first = self._scram.get_client_first().encode()
            name = self._scram.mechanism_name.encode()
            self._answer(name + b"\0" + INT32.pack(len(first)) + first)
        elif method == _SASL_CONTINUE:
            self._scram.set_server_first(request[4:].decode())
            self._answer(self._scram.get_client_final().encode())
        elif method == _SASL_FINAL:
            self._scram.set_server_final(request[4:].decode())
        else:
            raise ConnectionError(f"the server asks for authentication by method {method}")

    def _answer(self, credential: bytes) -> None:
        self._socket.sendall(frame(b"p", credential))

    def _messages(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the kind and body of each message up to ReadyForQuery, then raise the error that was among them.

        Raises
        ------
        Refused
        OSError: the connection broke. Its only argument is the FATAL error that the server sent before, if any.
        """
        error: Refused | None = None
        while True:
            header = self._answers.read(_HEADER.size)
            kind, size = _HEADER.unpack(header) if len(header) == _HEADER.size else (b"", INT32.size)
            body = self._answers.read(size - INT32.size)
            if not kind or len(body) < size - INT32.size:
                raise ConnectionError(*(error.args if error else ["the server closed the connection"]))
            if kind == b"E":
                error = Refused(_fields(body))
            elif kind == b"Z":
                break
            else:
                yield kind, body
        if error is not None:
            raise error


def _password(server: Server) -> str:
    password = server.password()
    if password is None:
        raise ConnectionError("the server asks for a password")
    return password


def describe(error: DatabaseError) -> str:
    """Return an error's code and message for the log; they contain no value of a statement."""
    return f"{sqlstate(error)} {message(error)}".strip()


def _encode(parameter: bytes | datetime | int) -> bytes:
    """Return a value in PostgreSQL's text format; an instant as a `timestamp` in UTC."""
    if isinstance(parameter, bytes):
        return b"\\x" + parameter.hex().encode()
    if isinstance(parameter, datetime):
        return parameter.astimezone(UTC).replace(tzinfo=None).isoformat().encode()
    return str(parameter).encode()


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


def _fields(body: bytes) -> dict[str, str]:
    """Return the fields of an ErrorResponse by their letter, without the detail, which quotes values."""
    parts = (part.decode(errors="replace") for part in body.split(b"\0") if part)
    return {part[0]: part[1:] for part in parts if part[0] != "D"}

"""One open connection to PostgreSQL: it signs in, sends flights and reads their answers.

Protocol: https://www.postgresql.org/docs/current/protocol-flow.html
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from struct import Struct

from goatedvips.postgres_errors import columns_in, fields_of
from goatedvips.postgres_messages import INT32, frame
from goatedvips.postgres_server import Server

_PROTOCOL = INT32.pack(196608)  # version 3.0
_HEADER = Struct("!cI")
_MOST_OCTETS = 65536  # of one call of recv
_WITH_CONTENT = frozenset({b"R", b"T", b"D", b"E"})
"""The kinds of messages whose bodies are read: Authentication, RowDescription, DataRow and ErrorResponse."""
_IDLE, _FAILED = b"I", b"E"
_OK, _CLEARTEXT_PASSWORD, _SASL, _SASL_CONTINUE, _SASL_FINAL = 0, 3, 10, 11, 12

type Decode[T] = Callable[[bytes, list[bytes]], T]
"""Makes a result of the body of a RowDescription (empty: the statement has no rows) and those of the DataRows."""


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


class Connection:
    """An open connection.

    Its `status` is the server's: no transaction, one that goes on (`T`), or one that can only be rolled back (`E`).

    Raises
    ------
    Unreachable
    """

    def __init__(self, server: Server) -> None:
        self.status = _IDLE
        try:
            self._socket = server.open_socket()
            self._received = bytearray()  # and not read yet
            try:
                self._start(server)
            except BaseException:
                self.close()
                raise
        except Exception as error:  # whatever went wrong, no statement was sent
            raise Unreachable(fields_of(error) or str(error)) from error

    @property
    def in_transaction(self) -> bool:
        """Whether the server has begun a transaction that has not ended."""
        return self.status != _IDLE

    @property
    def has_failed(self) -> bool:
        """Whether the transaction can only be rolled back: the server would do so at COMMIT, and report no error."""
        return self.status == _FAILED

    def exchange[T](self, flight: bytes, parts: int, decode: Decode[T]) -> tuple[T, int]:
        """Send a flight and read the answer to each of its parts; return the result and the number of rows.

        Raises
        ------
        ConnectionLost, UnreadableAnswer
        Refused: the first refusal of a part. The answers to the others were read.
        """
        description, rows = b"", list[bytes]()
        refusal: Refused | None = None
        try:
            with suppress(ConnectionError):  # the server hung up; it may have sent a FATAL error before
                self._socket.sendall(flight)
            for kind, body in self._messages(parts):
                if kind == b"T":
                    description = body
                elif kind == b"D":
                    rows.append(body)
                elif kind == b"E" and refusal is None:
                    refusal = Refused(_fields(body))
            if refusal is None:
                return decode(description, rows), len(rows)
        except OSError as error:
            raise ConnectionLost(fields_of(error) or str(error)) from error
        except Exception as error:
            raise UnreadableAnswer(f"{type(error).__name__}: {error}") from error
        raise refusal

    def close(self) -> None:
        """Close the socket; say goodbye if that is possible."""
        with suppress(OSError):
            self._socket.sendall(frame(b"X"))
        self._socket.close()

    def _start(self, server: Server) -> None:
        names = (b"user", server.user.encode(), b"database", server.database.encode(), b"")
        body = _PROTOCOL + b"\0".join(names) + b"\0"
        self._socket.sendall(INT32.pack(len(body) + 4) + body)
        for kind, answer in self._messages(1):
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

    def _messages(self, parts: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield the kind and body of each message with content, up to the ReadyForQuery that ends the last part.

        Raises
        ------
        OSError: the connection broke. Its only argument is the FATAL error that the server sent before, if any.
        """
        received, end, error = self._received, 0, b""
        while parts:
            start = end + _HEADER.size
            self._receive(start, error)
            kind, size = _HEADER.unpack_from(received, end)
            end += 1 + size  # the size does not count the kind
            self._receive(end, error)
            if kind in _WITH_CONTENT:
                body = bytes(received[start:end])
                error = body if kind == b"E" else error
                yield kind, body
            elif kind == b"Z":
                self.status = bytes(received[start:end])
                error = b""
                parts -= 1
        del received[:end]

    def _receive(self, size: int, error: bytes) -> None:
        """Receive until there are so many octets."""
        while len(self._received) < size:
            octets = self._socket.recv(_MOST_OCTETS)
            if not octets:
                raise ConnectionError(_fields(error) if error else "the server closed the connection")
            self._received += octets


def _password(server: Server) -> str:
    password = server.password()
    if password is None:
        raise ConnectionError("the server asks for a password")
    return password


def _fields(body: bytes) -> dict[str, str]:
    """Return the fields of an ErrorResponse by their letter, without the detail, which quotes values.

    `K` has the columns of the key that was violated.
    """
    fields = {part[:1].decode(): part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    if columns := columns_in(fields.pop("D", "")):
        fields["K"] = columns
    return fields

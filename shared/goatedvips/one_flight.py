"""A pg8000 connection that needs one round trip for a statement.

Stock pg8000 sends Parse, Describe and Bind/Execute each with its own Sync and waits for the answer to each: three round
trips, plus one each for BEGIN and COMMIT.  Here all messages of a statement are sent together with one Sync, BEGIN is
sent in front of the first statement, and COMMIT can be sent behind the last.  With one Sync a transaction pooler also
cannot spread a statement over two server connections: stock pg8000 in autocommit mode behind PgBouncer returned rows of
other clients.

Protocol: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
"""

import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import pg8000
import pg8000.legacy
from pg8000.converters import TIMESTAMP, make_params
from pg8000.core import Context

from goatedvips.postgres_errors import fields_of, key_columns, sqlstate
from goatedvips.postgres_messages import extended_query, simple_query

BEGIN = "begin transaction"
_COMMIT, _ROLLBACK = simple_query(b"commit"), simple_query(b"rollback")


class ConnectionBroken(pg8000.InterfaceError):
    """The connection ended while an answer was read, so whether the server acted is unknown.

    Its argument is the FATAL error of the server or the pooler, as a dict like that of other server errors, or
    else a text.
    """


class UnreadableAnswer(pg8000.InterfaceError):
    """The server answered what this driver cannot read, such as a value without a Python counterpart."""


class Connection(pg8000.legacy.Connection):
    """A connection that is closed when reading an answer fails: the unread rest would be taken for the next answer.

    Closing it raises nothing if the peer is gone.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Else the end of a COPY, which pg8000 sends by a write of its own, waits 40 ms for the delayed ACK of its rows.
        self._usock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.register_in_adapter(TIMESTAMP, _timestamp)

    def close(self) -> None:
        buffer = self._sock
        try:
            super().close()
        except (pg8000.InterfaceError, OSError, ValueError):
            with suppress(OSError, ValueError, AttributeError):  # else unsent bytes are sent at garbage collection
                buffer.close()

    def copy_in(self, statement: str, blocks: Iterable[bytes]) -> Context:
        """Send a COPY … FROM STDIN within a transaction, then the rows; return pg8000's context.

        Parameters
        ----------
        blocks: rows in the format of the statement; a row may begin in one block and end in the next.

        Raises
        ------
        pg8000.DatabaseError: what the server refused; the connection can go on.
        ConnectionBroken, UnreadableAnswer: the connection is closed, as it is by what `blocks` raises.
        """
        context = Context(statement, stream=blocks)
        # Extended, because pg8000 sends a Sync behind the rows. The server ignores the one before them.
        self._sock.write(extended_query(statement.encode(self._client_encoding), [], []))
        self._sock.flush()
        self.handle_messages(context)
        return context

    def handle_messages(self, context: Context) -> None:
        """Read an answer up to ReadyForQuery.

        Raises
        ------
        pg8000.DatabaseError: what the server refused; the connection can go on.
        ConnectionBroken, UnreadableAnswer: the connection is closed.
        """
        try:
            super().handle_messages(context)
        except BaseException as error:
            if error is context.error:  # raised after the whole answer was read
                raise
            self._drop()
            if context.error is not None:  # a FATAL error: the server closed the connection after it
                fields_of(context.error).pop("D", None)
                raise ConnectionBroken(*context.error.args) from error
            if isinstance(error, (pg8000.InterfaceError, OSError)):
                raise ConnectionBroken(str(error)) from error
            if isinstance(error, Exception):
                raise UnreadableAnswer(type(error).__name__) from error
            raise

    def _drop(self) -> None:
        """Close the socket without the goodbye message, which a broken or busy connection might block on."""
        with suppress(OSError):
            self._usock.shutdown(socket.SHUT_RDWR)
        self.close()


class OneFlightConnection(Connection):
    """A connection that sends all messages of a statement at once and then reads all answers."""

    begin_statement = BEGIN  # with the isolation level in it: a SET would pin the session of a proxy
    commit_with_next = False  # set right before the last statement of a transaction

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._descriptions: dict[bytes, tuple[list[dict[str, object]], list[Callable[[str], object]]]] = {}
        super().__init__(*arguments, **options)

    def cursor(self) -> "_Cursor":
        return _Cursor(self)

    def handle_ROW_DESCRIPTION(self, data: bytes, context: Context) -> None:  # noqa: N802 - pg8000's name
        """Note the columns of the rows that follow. Each statement's description is parsed once."""
        known = self._descriptions.get(data)
        if known is None:
            super().handle_ROW_DESCRIPTION(data, context)
            self._descriptions[data] = context.columns, context.input_funcs
        else:
            context.columns, context.input_funcs = known
            context.rows = []

    def fly(self, statement: str, values: Sequence[object], oids: Sequence[int]) -> Context:
        """Send a statement, with BEGIN before it and COMMIT after it as needed; return pg8000's context with its rows.

        Parameters
        ----------
        statement: SQL with `$1` … placeholders; without values it may contain several commands.
        values: one Python object for each placeholder.
        oids: the types of the first values; -1 leaves a type to the server.

        Raises
        ------
        pg8000.DatabaseError: what the server refused; the connection can go on.
        ConnectionBroken, UnreadableAnswer: the connection is closed.
        """
        message = self._extended(statement, values, oids) if values else self._simple(statement)
        parts = [Context(statement)]
        if not self.autocommit and not self._in_transaction:
            message = self._simple(self.begin_statement) + message
            parts.insert(0, Context(self.begin_statement))
        if self.commit_with_next:
            self.commit_with_next = False
            message += _COMMIT
            parts.append(Context("commit"))
        self._exchange(message, parts)
        return parts[-2] if parts[-1].statement == "commit" and len(parts) > 1 else parts[-1]

    def commit(self) -> None:
        if self._in_transaction:
            self._exchange(_COMMIT, [Context("commit")])

    def rollback(self) -> None:
        self.commit_with_next = False
        if self._in_transaction and self._sock is not None:
            self._exchange(_ROLLBACK, [Context("rollback")])

    def _simple(self, statement: str) -> bytes:
        return simple_query(statement.encode(self._client_encoding))

    def _extended(self, statement: str, values: Sequence[object], oids: Sequence[int]) -> bytes:
        encoding = self._client_encoding
        encoded = [None if text is None else text.encode(encoding) for text in make_params(self.py_types, values)]
        return extended_query(statement.encode(encoding), encoded, oids)

    def _exchange(self, message: bytes, parts: list[Context]) -> None:
        """Write all messages, read the answer to each part, then raise the first error among the answers."""
        if self._sock is None:
            raise pg8000.InterfaceError("connection is closed")
        try:
            self._sock.write(message)
            self._sock.flush()
        except (OSError, ValueError) as error:
            if isinstance(error, ConnectionError):  # the server hung up, and may have sent a FATAL error before
                self.handle_messages(Context(None))
            self._drop()
            raise ConnectionBroken(str(error)) from error
        refusal = None
        for part in parts:
            try:
                self.handle_messages(part)
            except (pg8000.DatabaseError, pg8000.InterfaceError) as error:
                if error is not part.error:
                    raise
                refusal = refusal or error
        if refusal is not None:
            raise refusal


class _Cursor(pg8000.legacy.Cursor):
    """pg8000's cursor without its rewriting of placeholders, since SQLAlchemy writes `$1` itself."""

    _input_oids: Sequence[int]

    def execute(self, operation: str, args: Sequence[object] = (), stream: object = None) -> "_Cursor":
        if stream is not None:
            raise pg8000.NotSupportedError("COPY needs the stock dialect")
        oids, self._input_oids = self._input_oids, ()
        try:
            self._context = self._c.fly(operation, args, oids)
        except pg8000.DatabaseError as error:
            fields = fields_of(error)
            fields["K"] = key_columns(error)
            fields.pop("D", None)  # the detail quotes values, and errors are logged
            kind = pg8000.IntegrityError if sqlstate(error)[:2] == "23" else pg8000.ProgrammingError
            raise (error if isinstance(error, kind) else kind(*error.args)) from error
        self._row_iter = iter(self._context.rows or ())
        return self


def _timestamp(text: str) -> datetime | str:
    """Return a datetime, or the text where no datetime can hold the value (`infinity`, years BC or after 9999).

    pg8000's own converter lets dateutil guess, which reads a year BC as one AD.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text

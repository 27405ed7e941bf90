"""PostgreSQL in one flight: a pg8000 connection and SQLAlchemy dialect that spend one round trip on a statement.

Stock pg8000 sends Parse, Describe and Bind/Execute each with a Sync of its own, and waits after each: three round
trips, and BEGIN and COMMIT come on top.  Here all messages of a statement travel together with one Sync, BEGIN travels
in front of the first statement, and COMMIT may travel behind the last.  One Sync also means that a transaction pooler
cannot tear a statement apart: stock pg8000 in autocommit mode behind PgBouncer was seen to return other clients' rows.

The bytes rely on the inside of one pg8000 release.  With any other release `TransactionalDialect` serves instead: stock
messages, every statement inside a transaction, autocommit refused, same results.

Protocol: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import pg8000
import pg8000.legacy
from pg8000.converters import TIMESTAMP, make_params
from pg8000.core import (
    BIND,
    DESCRIBE,
    EXECUTE_MSG,
    NULL_BYTE,
    PARSE,
    PORTAL,
    QUERY,
    SYNC_MSG,
    Context,
    H_pack,
    _create_message,
    i_pack,
)
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGIdentifierPreparer
from sqlalchemy.dialects.postgresql.pg8000 import PGDialect_pg8000
from sqlalchemy.engine.interfaces import IsolationLevel

TESTED_PG8000 = "1.31.6"
LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1", "host.docker.internal"}
"""This machine; the last is its name in a Docker container. Connections to all others use TLS with verification."""

_BEGIN = "begin transaction"
_COMMIT = _create_message(QUERY, b"commit" + NULL_BYTE)
_ROLLBACK = _create_message(QUERY, b"rollback" + NULL_BYTE)


class Connection(pg8000.legacy.Connection):
    """A connection whose peer may be gone when it is closed: that is no error, and nobody wants its traceback."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.register_in_adapter(TIMESTAMP, _timestamp)

    def close(self) -> None:
        buffer = self._sock
        try:
            super().close()
        except (pg8000.InterfaceError, OSError):
            with suppress(OSError):  # else it tries to send what is left in it when it is collected
                buffer.close()


class OneFlightConnection(Connection):
    """A connection that sends everything that one statement needs, and reads everything that it answers, at once."""

    begin_statement = _BEGIN  # carries the isolation level: no SET, so nothing that pins a proxied session
    commit_with_next = False  # set right before the statement that ends its transaction

    def cursor(self) -> "_Cursor":
        return _Cursor(self)

    def fly(self, statement: str, values: Sequence[object], oids: Sequence[int]) -> Context:
        """Send one statement with what belongs before and behind it; return pg8000's context with its rows.

        Parameters
        ----------
        statement: SQL with `$1` … placeholders; without values it may hold several commands.
        values: one Python object a placeholder.
        oids: the type of each value, or fewer; -1 leaves the choice to the server.

        Raises
        ------
        pg8000.DatabaseError: what the server refused; the connection goes on.
        pg8000.InterfaceError: the connection is lost; whether the server acted is unknown.
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
        if self._in_transaction:
            self._exchange(_ROLLBACK, [Context("rollback")])

    def _simple(self, statement: str) -> bytes:
        return _create_message(QUERY, statement.encode(self._client_encoding) + NULL_BYTE)

    def _extended(self, statement: str, values: Sequence[object], oids: Sequence[int]) -> bytes:
        encoding = self._client_encoding
        parse = NULL_BYTE + statement.encode(encoding) + NULL_BYTE + H_pack(len(oids))
        parse += b"".join(i_pack(0 if oid == -1 else oid) for oid in oids)
        bind = bytearray(NULL_BYTE + NULL_BYTE + H_pack(0) + H_pack(len(values)))
        for value in make_params(self.py_types, values):
            if value is None:
                bind += i_pack(-1)
            else:
                octets = value.encode(encoding)
                bind += i_pack(len(octets)) + octets
        bind += H_pack(0)
        describe = _create_message(DESCRIBE, PORTAL + NULL_BYTE)
        return _create_message(PARSE, parse) + _create_message(BIND, bind) + describe + EXECUTE_MSG + SYNC_MSG

    def _exchange(self, message: bytes, parts: list[Context]) -> None:
        """Write one flight, then read the answer to each part before the first error is raised."""
        if self._sock is None:
            raise pg8000.InterfaceError("connection is closed")
        refusal = None
        try:
            self._sock.write(message)
            self._sock.flush()
            for part in parts:
                try:
                    self.handle_messages(part)
                except (pg8000.DatabaseError, pg8000.InterfaceError) as error:
                    if part.error is None:  # raised by the socket, not answered by the server
                        raise
                    refusal = refusal or error
        except (OSError, ValueError) as error:  # ValueError: the buffer of a socket that timed out before
            raise pg8000.InterfaceError("network error") from error
        if refusal is not None:
            raise refusal


class _Cursor(pg8000.legacy.Cursor):
    """pg8000's cursor without its rewriting of placeholders: SQLAlchemy already writes `$1`."""

    _input_oids: Sequence[int]

    def execute(self, operation: str, args: Sequence[object] = (), stream: object = None) -> "_Cursor":
        if stream is not None:
            raise pg8000.NotSupportedError("COPY needs the stock dialect")
        oids, self._input_oids = self._input_oids, ()
        try:
            self._context = self._c.fly(operation, args, oids)
        except pg8000.DatabaseError as error:
            _fields(error).pop("D", None)  # quotes values, and what went wrong is logged
            kind = pg8000.IntegrityError if sqlstate(error)[:2] == "23" else pg8000.ProgrammingError
            raise (error if isinstance(error, kind) else kind(*error.args)) from error
        self._row_iter = iter(self._context.rows or ())
        return self


class OneFlightDialect(PGDialect_pg8000):
    """SQLAlchemy's pg8000 dialect on `OneFlightConnection`, asking the server nothing at its first connect."""

    supports_statement_cache = True
    # Not pg8000's own, which write every % twice for its placeholders.
    statement_compiler = PGCompiler  # type: ignore[assignment]
    preparer = PGIdentifierPreparer  # type: ignore[assignment]

    def __init__(self, **options: Any) -> None:
        super().__init__(paramstyle="numeric_dollar", **options)  # type: ignore[no-untyped-call]

    def connect(self, *arguments: Any, **options: Any) -> OneFlightConnection:
        return OneFlightConnection(*arguments, **options)

    def set_isolation_level(self, dbapi_connection: Any, level: str) -> None:
        level = level.replace("_", " ")
        dbapi_connection.autocommit = level == "AUTOCOMMIT"
        plain = level in {"AUTOCOMMIT", "READ COMMITTED"}
        dbapi_connection.begin_statement = _BEGIN if plain else f"{_BEGIN} isolation level {level}"

    def get_isolation_level(self, dbapi_connection: Any) -> IsolationLevel:
        return "AUTOCOMMIT" if dbapi_connection.autocommit else "READ COMMITTED"

    def get_default_isolation_level(self, dbapi_conn: Any) -> IsolationLevel:
        return "READ COMMITTED"

    def _get_server_version_info(self, connection: Any) -> tuple[int, ...]:
        version = connection.connection.dbapi_connection.parameter_statuses["server_version"]
        return tuple(int(part) for part in version.split()[0].split(".") if part.isdigit())

    def _get_default_schema_name(self, connection: Any) -> str:
        return "public"

    def _set_backslash_escapes(self, connection: Any) -> None:
        self._backslash_escapes = False


class TransactionalDialect(PGDialect_pg8000):
    """Stock messages, safe behind a transaction pooler because nothing ever runs outside a transaction."""

    supports_statement_cache = True

    def connect(self, *arguments: Any, **options: Any) -> Connection:
        return Connection(*arguments, **options)

    def set_isolation_level(self, dbapi_connection: Any, level: str) -> None:
        if level == "AUTOCOMMIT":
            raise pg8000.NotSupportedError(f"autocommit needs pg8000 {TESTED_PG8000}, not {pg8000.__version__}")
        super().set_isolation_level(dbapi_connection, level)  # type: ignore[no-untyped-call]


registry.register("postgresql.oneflight", __name__, "OneFlightDialect")
registry.register("postgresql.transactional", __name__, "TransactionalDialect")
ONE_FLIGHT = pg8000.__version__ == TESTED_PG8000
DRIVER = "postgresql+oneflight" if ONE_FLIGHT else "postgresql+transactional"


def _timestamp(text: str) -> datetime | str:
    """What no datetime holds stays text. pg8000 itself has dateutil guess, and takes a year BC for one AD."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def sqlstate(error: BaseException | None) -> str:
    """The five characters that classify a server's error; empty where the server said nothing.

    Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    return _fields(error).get("C", "")


def message(error: BaseException | None) -> str:
    """What the server, or the driver itself, says went wrong; without the detail, which quotes values."""
    return _fields(error).get("M", "") or str(error)


def _fields(error: BaseException | None) -> dict[str, str]:
    """The parts of an answered error by their letter in the protocol."""
    given = error.args[0] if error is not None and error.args else None
    return given if isinstance(given, dict) else {}

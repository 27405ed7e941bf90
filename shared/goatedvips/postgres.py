"""SQLAlchemy's dialects for PostgreSQL through pg8000: one flight a statement where the release of pg8000 allows it.

`goatedvips.one_flight` depends on internals of one pg8000 release.  With any other release `TransactionalDialect` is
used instead: stock messages, every statement inside a transaction, no autocommit, the same results.
"""

import time
from typing import Any

import pg8000
import pg8000.legacy
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGIdentifierPreparer
from sqlalchemy.dialects.postgresql.pg8000 import PGDialect_pg8000
from sqlalchemy.engine.interfaces import IsolationLevel

from goatedvips import database_problems
from goatedvips.one_flight import BEGIN, Connection, ConnectionBroken, OneFlightConnection, UnreadableAnswer
from goatedvips.postgres_errors import UNUSABLE, is_id_clash, sqlstate

TESTED_PG8000 = "1.31.6"


class _Dialect(PGDialect_pg8000):
    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        """Whether the pool must replace the connection."""
        broken = isinstance(e, (ConnectionBroken, UnreadableAnswer)) or sqlstate(e) in UNUSABLE
        return broken or super().is_disconnect(e, connection, cursor)  # type: ignore[no-untyped-call]

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Execute a statement; send a transaction's first one again when the `id` that it inserts is taken.

        The option `commit_in_flight` sends COMMIT behind it, and has no effect within the option `enclosed`;
        `commit_enclosing` sends COMMIT in any case.

        The ids of the guide's tables come from sequences, and the legacy application also inserts ids of its own
        choice ahead of them.  A retry takes the sequence's next number.  Before the first statement there is nothing
        that a roll-back loses; a clash in a later one is raised, and the HTTP edge runs the whole request again.
        """
        connection = cursor._c
        is_first = not connection._in_transaction
        options, types = context.execution_options, cursor._input_oids
        if "copied" in options:
            cursor._context = connection.copy_in(statement, options["copied"])
            return
        commits = options.get("commit_in_flight", False) and not options.get("enclosed")
        commits |= options.get("commit_enclosing", False)
        give_up = time.monotonic() + database_problems.RETRY_ID_CLASH_SECONDS
        while True:
            connection.commit_with_next, cursor._input_oids = commits, types
            try:
                super().do_execute(cursor, statement, parameters, context)  # type: ignore[no-untyped-call]
            except pg8000.DatabaseError as error:
                if not (is_first and is_id_clash(error) and time.monotonic() < give_up):
                    raise
            else:
                return
            connection.rollback()


class OneFlightDialect(_Dialect):
    """SQLAlchemy's pg8000 dialect on `OneFlightConnection`; it sends no queries of its own at the first connect."""

    supports_statement_cache = True
    # Not those of the pg8000 dialect, which double every % for pg8000's placeholders.
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
        dbapi_connection.begin_statement = BEGIN if plain else f"{BEGIN} isolation level {level}"

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


class TransactionalDialect(_Dialect):
    """Stock messages; safe behind a transaction pooler because every statement runs inside a transaction."""

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

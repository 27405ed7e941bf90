"""The edge to the database: one engine a process, one connection a time, `transaction()` and `reading()`.

A process serves one event at a time, so a pool of one is enough, and it is what RDS Proxy shares out.
"""

import logging
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pg8000
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError

from goatedvips.config import settings
from goatedvips.errors import Conflict, DatabaseUnavailable, Problem, SchemaOutdated, ValidationFailed
from goatedvips.postgres import DRIVER, LOCAL_HOSTS, ONE_FLIGHT, message, sqlstate

logger = logging.getLogger("goatedvips.db")

_IDLE_LIMIT = 60.0  # seconds; a frozen environment wakes with a socket whose peer may be long gone

_enclosing: ContextVar[Connection | None] = ContextVar("enclosing", default=None)


class ConnectionLost(DatabaseUnavailable):
    """The connection broke while a statement was under way: whether it took effect is unknown."""


@contextmanager
def transaction() -> Iterator[Connection]:
    """One transaction: committed at the end of the block, rolled back by any exception; inside another one, part of it.

    The execution option `commit_in_flight` sends COMMIT in a statement's own round trip. It is only for the last
    statement of a transaction, and only if no result of it makes the caller roll back.

    Raises
    ------
    Problem: what the block raised; or the database's refusal, translated once for all.
    """
    enclosing = _enclosing.get()
    if enclosing is not None:
        yield enclosing
        return
    try:
        with _translated(), engine().begin() as connection:
            yield connection
    except Problem as problem:
        if problem.leaves is not None:
            with _translated(), engine().begin() as connection:
                connection.execute(problem.leaves, execution_options={"commit_in_flight": True})
        raise


@contextmanager
def enclosing_transaction() -> Iterator[Connection]:
    """A transaction that every `transaction()` within becomes part of; no statement of theirs commits it."""
    with transaction() as connection:
        outer = _enclosing.set(connection.execution_options(enclosed=True))
        try:
            yield connection
        finally:
            _enclosing.reset(outer)


@contextmanager
def reading() -> Iterator[Connection]:
    """A connection for the one statement of a handler that only reads: no transaction around it where that is safe."""
    with _translated(), engine().connect() as connection:
        if ONE_FLIGHT:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")  # noqa: PLW2901 - the same one
        yield connection


@contextmanager
def repeatable_read() -> Iterator[Connection]:
    """A read-only block whose statements all see one state of the database: what was committed before the first."""
    with _translated(), engine().connect() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@cache
def engine() -> Engine:
    """The process's engine; it connects at the first use, so nothing of it is in a snapshot."""
    return make_engine(settings.database_url)


def make_engine(url: str) -> Engine:
    """Return an engine with one connection; verified TLS unless the host is local, an IAM token if that is configured.

    Parameters
    ----------
    url: postgresql://user[:password]@host:port/database
    """
    target = make_url(url)
    options: dict[str, Any] = {"timeout": settings.database_socket_timeout}
    if target.host not in LOCAL_HOSTS:
        options["ssl_context"] = ssl.create_default_context()
    made = create_engine(
        target.set(drivername=DRIVER), pool_size=1, max_overflow=0, connect_args=options, hide_parameters=True
    )
    event.listen(made, "checkin", _note_use)
    event.listen(made, "checkout", _refuse_stale)
    event.listen(made, "before_cursor_execute", _commit_in_flight)
    if settings.database_iam:
        event.listen(made, "do_connect", _sign_in)
    if settings.query_log:
        event.listen(made, "before_cursor_execute", _start_clock)
        event.listen(made, "after_cursor_execute", _log_query)
    return made


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what the driver raises into the platform's problems."""
    try:
        yield
    except DBAPIError as error:
        raise _problem(error) from error
    except OSError as error:  # TLS and name resolution fail outside the driver's own exceptions
        raise DatabaseUnavailable(retry_after=1, reason=str(error)) from error


def _problem(error: DBAPIError) -> Problem:
    """What a failed statement means to the caller.

    Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    state = sqlstate(error.orig)
    reason = f"{state} {message(error.orig)}".strip()
    match state[:2], state:
        case ("42", "42P01" | "42703" | "42883"):
            return SchemaOutdated(retry_after=5, reason=reason)
        case ("22", _):  # a value that no column holds: the last net under the validators
            return ValidationFailed(reason=reason)
        case ("23", "23503" | "23505"):  # the others are what our own statements must not do
            return Conflict(reason=reason)
        case ("08" | "28" | "3D" | "40" | "53" | "55" | "57" | "58", _):
            return DatabaseUnavailable(retry_after=1, reason=reason)
        case ("", _) if error.connection_invalidated:
            return ConnectionLost(retry_after=1, reason=reason)
        case ("", _) if isinstance(error.orig, pg8000.InterfaceError):
            return DatabaseUnavailable(retry_after=1, reason=reason)
    return Problem(reason=reason)


def _note_use(_: object, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _refuse_stale(_: object, record: Any, __: object) -> None:
    if time.monotonic() - record.info.get("used", time.monotonic()) > _IDLE_LIMIT:
        raise DisconnectionError("unused for too long")


def _commit_in_flight(connection: Connection, _: object, __: str, ___: object, context: Any, ____: bool) -> None:
    options = context.execution_options
    if options.get("commit_in_flight") and not options.get("enclosed"):
        connection.connection.dbapi_connection.commit_with_next = True  # type: ignore[union-attr]


def _sign_in(_: object, __: object, ___: object, parameters: dict[str, Any]) -> None:
    import os

    from goatedvips import iam_token

    parameters["password"] = iam_token.sign(
        parameters["host"],
        parameters["port"],
        parameters["user"],
        region=os.environ["AWS_REGION"],
        keys=iam_token.credentials(),
        now=datetime.now(UTC),
    )


def _start_clock(_: object, __: object, ___: str, ____: object, context: Any, _____: bool) -> None:
    context.started = time.perf_counter()


def _log_query(_: object, cursor: Any, statement: str, ___: object, context: Any, ____: bool) -> None:
    milliseconds = round((time.perf_counter() - context.started) * 1000, 2)
    logger.info("query", extra={"statement": statement, "milliseconds": milliseconds, "rows": cursor.rowcount})

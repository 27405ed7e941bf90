"""The edge to the database: one engine for each process, one connection at a time, `transaction()` and `reading()`.

A process serves one event at a time, so it needs one connection.  RDS Proxy shares its server connections among them.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import pg8000
from sqlalchemy import Connection, Engine, Executable, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError

from goatedvips.config import settings
from goatedvips.database_problems import refusal
from goatedvips.errors import ConnectionLost, DatabaseUnavailable, InternalError, Problem
from goatedvips.one_flight import UnreadableAnswer
from goatedvips.postgres import DRIVER, ONE_FLIGHT
from goatedvips.postgres_errors import reason_of, sqlstate
from goatedvips.postgres_server import IDLE_LIMIT, Server
from goatedvips.snapshots import close_around_snapshots

logger = logging.getLogger("goatedvips.db")

_enclosing: ContextVar[Connection | None] = ContextVar("enclosing", default=None)


@contextmanager
def transaction(*, if_unavailable: Executable | None = None) -> Iterator[Connection]:
    """One transaction: committed at the end of the block, rolled back by any exception.

    Inside `enclosing_transaction()` the block is part of that transaction.

    The execution option `commit_in_flight` sends COMMIT in a statement's own round trip. It is only for the last
    statement of a transaction, and only if no result of it makes the caller roll back.

    Parameters
    ----------
    if_unavailable: a statement to be committed on another connection if the block fails because the database is
        unavailable, as after a lost connection. It must be harmless if the transaction was committed after all.

    Raises
    ------
    Problem: what the block raised, or the problem that a database error means.
    """
    enclosing = _enclosing.get()
    if enclosing is not None:
        yield enclosing
        return
    try:
        with _translated(), engine().begin() as connection:
            yield connection
    except Problem as problem:
        leaves = if_unavailable if isinstance(problem, DatabaseUnavailable) else problem.leaves
        if leaves is not None:
            with _translated(), engine().begin() as connection:
                connection.execute(leaves, execution_options={"commit_in_flight": True})
        raise


@contextmanager
def enclosing_transaction() -> Iterator[Connection]:
    """A transaction that every `transaction()` in the block becomes part of; `commit_in_flight` is ignored there."""
    with transaction() as connection:
        outer = _enclosing.set(connection.execution_options(enclosed=True))
        try:
            yield connection
        finally:
            _enclosing.reset(outer)


@contextmanager
def reading() -> Iterator[Connection]:
    """A connection for the only statement of a handler that only reads: in autocommit mode where that is safe."""
    with _translated(), engine().connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.autocommit = ONE_FLIGHT  # see `goatedvips.postgres`; SQLAlchemy's own option takes longer
        try:
            yield connection
        finally:
            driver.autocommit = False


@contextmanager
def repeatable_read() -> Iterator[Connection]:
    """A read-only block whose statements all see one state of the database: what was committed before the first."""
    with _translated(), engine().connect() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@cache
def engine() -> Engine:
    """The process's engine. It connects at the first use, so a SnapStart snapshot contains no connection."""
    return make_engine(settings.database_url)


def compile_ahead(statement: Executable, parameters: tuple[str, ...]) -> None:
    """Compile a statement into the engine's cache, where its first execution finds it.

    Parameters
    ----------
    parameters: the sorted names of all parameters with which it is executed.
    """
    # The engine does the same at the first execution. SQLAlchemy has no public function that does only this.
    cache = engine()._compiled_cache  # noqa: SLF001
    statement._compile_w_cache(engine().dialect, compiled_cache=cache, column_keys=list(parameters))  # noqa: SLF001


def make_engine(url: str) -> Engine:
    """Return an engine with one connection; verified TLS unless the host is local, an IAM token if that is configured.

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
    made = create_engine(
        make_url(url).set(drivername=DRIVER),
        pool_size=1,
        max_overflow=0,
        connect_args={"timeout": server.timeout, "ssl_context": server.tls or False},
        hide_parameters=True,
    )
    event.listen(made, "checkin", _note_use)
    event.listen(made, "checkout", _refuse_stale)

    @event.listens_for(made, "do_connect")
    def set_password(_: object, __: object, ___: object, parameters: dict[str, Any]) -> None:
        parameters["password"] = server.password()

    if settings.query_log:
        event.listen(made, "before_cursor_execute", _start_clock)
        event.listen(made, "after_cursor_execute", _log_query)
    return made


@contextmanager
def _translated() -> Iterator[None]:
    """Raise the problem that an exception of the driver means."""
    try:
        yield
    except DBAPIError as error:
        raise _problem(error) from error
    except OSError as error:  # the driver does not wrap errors of TLS and name resolution
        raise DatabaseUnavailable(retry_after=1, reason=str(error)) from error


def _problem(error: DBAPIError) -> Problem:
    """Return what a failed statement means to the caller."""
    reason = reason_of(error.orig)
    if isinstance(error.orig, UnreadableAnswer):
        return InternalError(reason=f"unreadable answer: {reason}")
    if isinstance(error.orig, pg8000.InterfaceError):
        lost = error.connection_invalidated  # else no connection could be made
        return (ConnectionLost if lost else DatabaseUnavailable)(retry_after=1, reason=reason)
    if error.statement is None and sqlstate(error.orig):  # the connection was refused, for whatever reason
        return DatabaseUnavailable(retry_after=1, reason=reason)
    return refusal(error.orig)


def _note_use(_: object, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _refuse_stale(_: object, record: Any, __: object) -> None:
    if time.monotonic() - record.info.get("used", time.monotonic()) > IDLE_LIMIT:
        raise DisconnectionError("unused for too long")


def _start_clock(_: object, __: object, ___: str, ____: object, context: Any, _____: bool) -> None:
    context.started = time.perf_counter()


def _log_query(_: object, cursor: Any, statement: str, ___: object, context: Any, ____: bool) -> None:
    milliseconds = round((time.perf_counter() - context.started) * 1000, 2)
    logger.info("query", extra={"statement": statement, "milliseconds": milliseconds, "rows": cursor.rowcount})


if settings.database_url:  # not at the first request; nothing in an engine is random, and on AWS nothing is secret
    close_around_snapshots(engine().dispose)

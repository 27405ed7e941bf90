"""The edge to the database for handlers whose statements are compiled beforehand: they import no SQLAlchemy.

It is what `goatedvips.db` is for the others: one connection for each process, and `transaction()` and `reading()` with
the same rules.  A handler uses one of the two edges, and gives `HttpApi` the same one.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from struct import Struct
from time import monotonic
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from goatedvips import database_problems, postgres_wire
from goatedvips.compiled import Bound, Compiled
from goatedvips.config import settings
from goatedvips.errors import ConnectionLost, DatabaseUnavailable, InternalError, Problem
from goatedvips.light_connection import Database, make_database
from goatedvips.postgres_errors import is_id_clash, reason_of
from goatedvips.postgres_messages import INT16, INT32, bind_and_execute, encode, parse, simple_query
from goatedvips.postgres_values import READERS
from goatedvips.postgres_wire import DatabaseError, Refused, Unreachable
from goatedvips.snapshots import close_around_snapshots

if TYPE_CHECKING:
    from sqlalchemy import Executable

_BEGIN, _COMMIT, _ROLLBACK = (simple_query(command) for command in (b"begin transaction", b"commit", b"rollback"))
_COLUMN = Struct("!ihihih")

type Columns = list[tuple[str, Callable[[str], Any]]]
"""The names of columns, and what reads their values."""


class Row(SimpleNamespace):
    """A row, with its columns as attributes."""


class Result:
    """The rows of a statement."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows

    def all(self) -> list[Row]:
        """Return all rows."""
        return self._rows

    def one(self) -> Row:
        """Return the only row.

        Raises
        ------
        ValueError: there is none, or more than one.
        """
        (row,) = self._rows
        return row

    def one_or_none(self) -> Row | None:
        """Return the only row; None if there is none."""
        return self.one() if self._rows else None

    def scalar_one(self) -> Any:
        """Return the first value of the only row."""
        return next(iter(vars(self.one()).values()))

    def scalar_one_or_none(self) -> Any:
        """Return the first value of the only row; None if there is none."""
        return self.scalar_one() if self._rows else None


class Connection:
    """The connection of one block.

    Parameters
    ----------
    autocommit: whether each statement is a transaction of its own.
    enclosed: whether `commit_in_flight` is ignored.
    """

    def __init__(self, open_database: Database, *, autocommit: bool = False, enclosed: bool = False) -> None:
        self._database = open_database
        self._autocommit = autocommit
        self._enclosed = enclosed

    def execute(self, statement: "Executable", parameters: Mapping[str, object], /) -> Result:
        """Execute a compiled statement in one round trip, with BEGIN before it and COMMIT behind it as needed.

        A transaction's first statement is sent again when the `id` that it inserts is taken: see `goatedvips.postgres`.

        Raises
        ------
        TypeError: the statement is not compiled.
        """
        if not isinstance(statement, Compiled):
            raise TypeError(f"{statement!r} is not a compiled statement")
        flight = parse(statement.text) + bind_and_execute([encode(parameters[name]) for name in statement.parameters])
        parts = 1
        is_first = not self._autocommit and not self._database.in_transaction
        if is_first:
            flight, parts = _BEGIN + flight, parts + 1
        if statement.commit_enclosing or (statement.commit_in_flight and not self._enclosed):
            flight, parts = flight + _COMMIT, parts + 1
        give_up = monotonic() + database_problems.RETRY_ID_CLASH_SECONDS
        while True:
            try:
                return self._database.fly(statement.text, flight, parts, _result)
            except Refused as error:
                if not (is_first and is_id_clash(error) and monotonic() < give_up):
                    raise
            self.rollback()

    def commit(self) -> None:
        """End the transaction, if one has begun.

        Raises
        ------
        Refused: a statement failed before, and its error was not raised out of the block.
        """
        if self._database.has_failed:
            raise Refused({"C": "25P02", "M": "COMMIT of a transaction in which a statement failed"})
        if self._database.in_transaction:
            self._database.fly("commit", _COMMIT, 1, _result)

    def rollback(self) -> None:
        """Undo the transaction, if one has begun."""
        if self._database.in_transaction:
            self._database.fly("rollback", _ROLLBACK, 1, _result)


_enclosing: ContextVar[Connection | None] = ContextVar("enclosing", default=None)


@contextmanager
def transaction() -> Iterator[Connection]:
    """One transaction: committed at the end of the block, rolled back by any exception.

    Inside `enclosing_transaction()` the block is part of that transaction.

    Raises
    ------
    Problem: what the block raised, or the problem that a database error means.
    """
    enclosing = _enclosing.get()
    if enclosing is not None:
        yield enclosing
        return
    with _begun() as connection:
        yield connection


@contextmanager
def enclosing_transaction() -> Iterator[Connection]:
    """A transaction that every `transaction()` in the block becomes part of; `commit_in_flight` is ignored there."""
    with _begun(enclosed=True) as connection:
        outer = _enclosing.set(connection)
        try:
            yield connection
        finally:
            _enclosing.reset(outer)


@contextmanager
def reading() -> Iterator[Connection]:
    """A connection in autocommit mode, for the only statement of a handler that only reads."""
    with _translated():
        database().open()
        yield Connection(database(), autocommit=True)


@cache
def database() -> Database:
    """The process's database. It connects at the first use, so a SnapStart snapshot contains no connection."""
    return make_database(settings.database_url)


@contextmanager
def _begun(*, enclosed: bool = False) -> Iterator[Connection]:
    """A transaction, which its first statement begins."""
    try:
        with _translated():
            database().open()
            connection = Connection(database(), enclosed=enclosed)
            try:
                yield connection
                connection.commit()
            except BaseException:
                with suppress(DatabaseError):  # the first error is the reason
                    connection.rollback()
                raise
    except Problem as problem:
        if problem.leaves is not None:
            _commit(problem.leaves)
        raise


def _commit(leaves: "Executable") -> None:
    """Execute what a refusal leaves, in a transaction of its own."""
    if not isinstance(leaves, Bound):
        raise TypeError(f"{leaves!r} is not a compiled statement with its values")
    with _begun() as connection:
        connection.execute(leaves.statement, leaves.values)


@contextmanager
def _translated() -> Iterator[None]:
    """Raise the problem that an error of the database means."""
    try:
        yield
    except DatabaseError as error:
        raise _problem(error) from error


def _problem(error: DatabaseError) -> Problem:
    reason = reason_of(error)
    match error:
        case Refused():
            return database_problems.refusal(error)
        case postgres_wire.ConnectionLost():
            return ConnectionLost(retry_after=1, reason=reason)
        case Unreachable():
            return DatabaseUnavailable(retry_after=1, reason=reason)
    return InternalError(reason=f"unreadable answer: {reason}")


def _result(description: bytes, rows: list[bytes]) -> Result:
    """Return the rows of an answer with their values."""
    if not rows:
        return Result([])
    columns = _columns(description)
    return Result([_row(row, columns) for row in rows])


@cache
def _columns(description: bytes) -> Columns:
    """Return the columns of a RowDescription; the same statement has the same ones.

    Raises
    ------
    KeyError: a column has a type that is not read here.
    """
    columns, position = [], INT16.size
    for _ in range(*INT16.unpack_from(description)):
        end = description.index(b"\0", position)
        type_id = _COLUMN.unpack_from(description, end + 1)[2]
        columns.append((description[position:end].decode(), READERS[type_id]))
        position = end + 1 + _COLUMN.size
    return columns


def _row(data: bytes, columns: Columns) -> Row:
    row = Row()
    values = vars(row)
    position = INT16.size
    for name, read in columns:
        (size,) = INT32.unpack_from(data, position)
        position += INT32.size
        if size < 0:
            values[name] = None
            continue
        values[name] = read(str(data[position : position + size], "utf-8"))
        position += size
    return row


if settings.database_url:  # not at the first request; nothing in it is random, and on AWS nothing is secret
    close_around_snapshots(database().close)

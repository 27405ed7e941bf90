"""The edge of handlers with compiled statements: what it sends, what it reads, and what its errors mean."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips import db, light_db
from goatedvips.compiled import Bound, Compiled
from goatedvips.domain.codes import compiled_statements
from goatedvips.errors import (
    Conflict,
    ConnectionLost,
    DatabaseUnavailable,
    InternalError,
    NotFound,
    Problem,
    SchemaOutdated,
    ValidationFailed,
)
from goatedvips.light_db import enclosing_transaction, reading, transaction
from goatedvips.postgres_wire import Refused
from tests.integration.test_one_flight import messages
from tests.support import stack
from tests.support.edges import use
from tests.support.wire import Wire

INSERT = "insert into attempts (kind, subject, address, attempted_at) values ($1, $2, '-', now()) returning id"
BLOCKS = [reading, transaction, enclosing_transaction]

type Block = Callable[[], AbstractContextManager[light_db.Connection]]


def statement(text: str, *parameters: str, commits: bool = False) -> Compiled:
    """Return a statement that no file has."""
    return Compiled("", text, parameters, commit_in_flight=commits)


@pytest.fixture
def wire(servers: stack.Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The edge's connections, past the pooler, as the superuser."""
    wire = Wire(servers.postgres)
    use(monkeypatch, f"postgresql://postgres@127.0.0.1:{wire.port}/{os.environ['TEST_DATABASE']}")
    yield wire
    light_db.database().close()
    wire.close()


@pytest.fixture
def mark(database: sa.Engine) -> Iterator[str]:
    """A subject of attempts that only this test has."""
    mark = f"light-{os.getpid()}"
    yield mark
    with database.connect() as connection:
        connection.execute(sa.text("delete from attempts where subject = :mark"), {"mark": mark})


def kinds(database: sa.Engine, mark: str) -> list[str]:
    with database.connect() as connection:
        query = sa.text("select kind from attempts where subject = :mark order by id")
        return list(connection.execute(query, {"mark": mark}).scalars())


def test_begin_and_commit_are_sent_with_the_statement(wire: Wire) -> None:
    with transaction() as connection:
        connection.execute(statement("select $1::int", "x"), {"x": 1})
        connection.execute(statement("select $1::int", "x", commits=True), {"x": 2})
    first, last = wire.sent[-2:]
    assert messages(first) == [b"Q begin transaction", b"P", b"B", b"D", b"E", b"S"]
    assert messages(last) == [b"P", b"B", b"D", b"E", b"S", b"Q commit"]


def test_a_read_sends_only_the_statement_and_an_empty_block_nothing(wire: Wire) -> None:
    with reading() as connection:
        connection.execute(statement("select 1"), {})
    assert messages(wire.sent[-1]) == [b"P", b"B", b"D", b"E", b"S"]
    before = len(wire.sent)
    with transaction():
        pass
    assert len(wire.sent) == before


def test_a_transaction_is_committed_at_the_end_of_its_block_and_rolled_back_by_any_exception(
    wire: Wire, database: sa.Engine, mark: str
) -> None:
    with transaction() as connection:
        connection.execute(statement(INSERT, "kind", "subject"), {"kind": "kept", "subject": mark})
        assert kinds(database, mark) == []
    assert wire.sent[-1].startswith(b"Q") and b"commit" in wire.sent[-1]  # noqa: PT018
    for error in (NotFound(), KeyError("x"), KeyboardInterrupt()):
        with suppress(NotFound, KeyError, KeyboardInterrupt), transaction() as connection:
            connection.execute(statement(INSERT, "kind", "subject"), {"kind": "undone", "subject": mark})
            raise error
    assert kinds(database, mark) == ["kept"]
    assert wire.connections == 1


def test_a_refusal_leaves_its_statement_committed(wire: Wire, database: sa.Engine, mark: str) -> None:
    left = Bound(statement(INSERT, "kind", "subject", commits=True), {"kind": "left", "subject": mark})
    for block in (transaction, enclosing_transaction):
        with suppress(NotFound), block() as connection:
            connection.execute(statement(INSERT, "kind", "subject"), {"kind": "undone", "subject": mark})
            raise NotFound(leaves=left)
    with suppress(NotFound), db.transaction() as connection:
        executed = {"client_network": "-", "caller_id": 0, "now": datetime.now(UTC)}
        raise NotFound(leaves=Bound(compiled_statements.INSERT_FAILED_CLAIM, executed))
    assert kinds(database, mark) == ["left", "left"]
    with database.connect() as connection:
        done = connection.execute(sa.text("delete from attempts where kind = 'claim' and subject = '0'"))
        assert done.rowcount == 1


def test_an_enclosed_block_is_committed_with_the_one_around_it(wire: Wire, database: sa.Engine, mark: str) -> None:
    insert = statement(INSERT, "kind", "subject", commits=True)
    with suppress(NotFound), enclosing_transaction(), transaction() as connection:
        connection.execute(insert, {"kind": "undone", "subject": mark})
        raise NotFound
    assert kinds(database, mark) == []
    with enclosing_transaction() as outer:
        with transaction() as connection:
            connection.execute(insert, {"kind": "first", "subject": mark})
        last = Compiled("", INSERT, ("kind", "subject"), commit_enclosing=True)
        outer.execute(last, {"kind": "last", "subject": mark})
        assert kinds(database, mark) == ["first", "last"]


def test_a_refused_statement_with_commit_commits_nothing_and_leaves_the_connection_usable(
    wire: Wire, database: sa.Engine, mark: str
) -> None:
    insert = statement(INSERT, "kind", "subject", commits=True)
    with pytest.raises(InternalError) as raised, transaction() as connection:
        connection.execute(statement(INSERT, "kind", "subject"), {"kind": "undone", "subject": mark})
        connection.execute(insert, {"kind": None, "subject": mark})
    assert str(raised.value.reason).startswith("23502 ")
    assert mark not in str(raised.value.__cause__), "the detail of an error quotes values"
    with transaction() as connection:
        assert connection.execute(statement("select 7"), {}).scalar_one() == 7
    assert kinds(database, mark) == []
    assert wire.connections == 1


def test_a_transaction_whose_failure_was_swallowed_is_not_reported_as_committed(wire: Wire, mark: str) -> None:
    with pytest.raises(DatabaseUnavailable) as raised, transaction() as connection:
        connection.execute(statement(INSERT, "kind", "subject"), {"kind": "undone", "subject": mark})
        with suppress(Refused):
            connection.execute(statement("select 1 / $1::int", "zero"), {"zero": 0})
    assert str(raised.value.reason).startswith("25P02 ")


def test_values_are_read_as_they_were_sent(wire: Wire) -> None:
    given: dict[str, object] = {
        "money": Decimal("0.10"),
        "nothing": None,
        "octets": b"\x00\xff",
        "flag": False,
        "percent": "%s 'é' $1",
        "day": date(2026, 5, 1),
        "instant": datetime(2026, 5, 1, 12, 30, 0, 500_000, UTC),
        "number": -(2**40),
    }
    types = ("numeric", "text", "bytea", "bool", "varchar", "date", "timestamp", "int8")
    columns = ", ".join(f"${n}::{kind} as {name}" for n, (kind, name) in enumerate(zip(types, given, strict=True), 1))
    with reading() as connection:
        row = connection.execute(statement(f"select {columns}, '[{{\"a\": 1.5}}]'::jsonb as json", *given), given).one()
    assert vars(row) == given | {"json": [{"a": 1.5}]}
    assert {type(value) for value in vars(row).values()} >= {Decimal, bytes, bool, str, date, datetime, int, list}


def test_an_instant_that_no_calendar_of_ours_holds_is_its_nearest(wire: Wire) -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    with reading() as connection:
        for stored, nearest in (("0044-03-15 12:00:00 BC", first), ("-infinity", first), ("infinity", last)):
            read = connection.execute(statement(f"select timestamp '{stored}'"), {}).scalar_one()
            assert read == nearest


@pytest.mark.parametrize("value", ["\ud800", datetime(2026, 5, 1)], ids=["surrogate", "naive"])  # noqa: DTZ001
def test_a_value_that_cannot_be_sent_sends_nothing(wire: Wire, value: object) -> None:
    with transaction() as connection:
        before = len(wire.sent)
        with pytest.raises(ValueError, match=r"surrogates|time zone"):
            connection.execute(statement("select $1::text", "x"), {"x": value})
        assert len(wire.sent) == before


def test_only_compiled_statements_are_executed(wire: Wire) -> None:
    with pytest.raises(TypeError), reading() as connection:
        connection.execute(sa.text("select 1"), {})


def test_rows_are_one_or_none(wire: Wire) -> None:
    rows = statement("select n from generate_series(1, $1::int) n", "count")
    with reading() as connection:
        assert connection.execute(rows, {"count": 0}).one_or_none() is None
        assert connection.execute(rows, {"count": 0}).scalar_one_or_none() is None
        assert connection.execute(rows, {"count": 1}).scalar_one_or_none() == 1
        for count, read in ((0, "one"), (2, "one"), (2, "one_or_none"), (0, "scalar_one"), (2, "scalar_one_or_none")):
            with pytest.raises(ValueError, match="values to unpack"):
                getattr(connection.execute(rows, {"count": count}), read)()


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("error", [KeyError("x"), ArithmeticError(), RecursionError(), TimeoutError("too slow")])
def test_an_exception_while_an_answer_is_read_closes_the_connection(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, block: Block, error: Exception
) -> None:
    def fail(*_: object) -> Any:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(light_db, "_row", fail)
        with pytest.raises(Problem) as raised, block() as connection:
            connection.execute(statement("select 'first'::text from generate_series(1, 3)"), {})
    assert isinstance(raised.value, ConnectionLost if isinstance(error, OSError) else InternalError)
    with block() as connection:
        assert connection.execute(statement("select 'second'::text"), {}).scalar_one() == "second"
    assert wire.connections == 2


def test_after_a_lost_connection_a_block_sends_nothing_more(wire: Wire, database: sa.Engine, mark: str) -> None:
    insert = statement(INSERT, "kind", "subject")
    with pytest.raises(ConnectionLost), transaction() as connection:
        connection.execute(insert, {"kind": "undone", "subject": mark})
        wire.cut()
        for _ in range(2):
            with suppress(Exception):
                connection.execute(insert, {"kind": "undone", "subject": mark})
        connection.execute(insert, {"kind": "undone", "subject": mark})
    assert kinds(database, mark) == []
    assert wire.connections == 1


@pytest.mark.parametrize("idle", [False, True])
def test_a_fatal_error_of_the_server_reaches_the_log(wire: Wire, database: sa.Engine, idle: bool) -> None:
    with reading() as connection:
        backend = connection.execute(statement("select pg_backend_pid()"), {}).scalar_one()
    if idle:
        with database.connect() as other:
            other.exec_driver_sql(f"select pg_terminate_backend({backend}, 5000)")
    with pytest.raises(ConnectionLost) as raised, transaction() as connection:
        connection.execute(statement("select pg_terminate_backend(pg_backend_pid())"), {})
    assert raised.value.reason == "57P01 terminating connection due to administrator command"
    assert raised.value.retry_after == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("insert into wheel_spins (user_id, segment_index) values (2147483647, 0)", Conflict),
        ("insert into wheel_spins (segment_index) values (null)", InternalError),
        ("insert into users (username, email, password) values ('-', '-', '-'), ('-', '+', '-')", Conflict),
        ("select nothing from users", SchemaOutdated),
        ("select 2147483647::int + 1", ValidationFailed),
        ("selec 1", InternalError),
        ("select timestamptz '2026-01-01'", InternalError),
    ],
)
def test_each_class_of_database_error_has_its_problem(wire: Wire, text: str, problem: type[Problem]) -> None:
    with pytest.raises(problem) as raised, transaction() as connection:
        connection.execute(statement(text), {})
    assert type(raised.value) is problem

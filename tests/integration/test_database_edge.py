"""Broken, idle and impossible connections, and the problems that database errors mean."""

import logging
import os
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from copy import replace
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from database.embedded import free_port
from goatedvips import db
from goatedvips.config import settings
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
from goatedvips.models.accounts import attempts
from tests.support import stack
from tests.support.edges import use
from tests.support.functions import Answer, Functions, load
from tests.support.members import Member, Members
from tests.support.wire import Wire


@dataclass(frozen=True)
class Edge:
    """One of the two ways to the database, with a function that reads by it and one that writes."""

    reads: str
    writes: str
    body: dict[str, str] | None
    clock: str


EDGES = [
    pytest.param(Edge("get_profile", "open_ticket", {"subject": "s", "description": "d"}, "db.time"), id="db"),
    pytest.param(Edge("get_me", "spin_wheel", None, "light_connection"), id="light_db"),
]


def read(functions: Functions, edge: Edge, member: Member) -> Answer:
    path = f"/v1/users/{member.id}" if edge.reads == "get_profile" else None
    return functions.call(edge.reads, by=member, path=path)


def write(functions: Functions, edge: Edge, member: Member, **headers: str) -> Answer:
    return functions.call(edge.writes, by=member, body=edge.body, headers=headers)


@pytest.mark.parametrize("edge", EDGES)
def test_a_get_is_retried_after_a_lost_connection(
    wire: Wire, functions: Functions, members: Members, edge: Edge
) -> None:
    member = members.new()
    assert read(functions, edge, member).status == 200
    wire.cut()
    assert read(functions, edge, member).status == 200
    assert wire.connections == 2


@pytest.mark.parametrize("edge", EDGES)
def test_a_get_is_not_retried_if_losing_the_connection_took_long(
    wire: Wire, functions: Functions, members: Members, monkeypatch: pytest.MonkeyPatch, edge: Edge
) -> None:
    member = members.new()
    read(functions, edge, member)
    wire.cut()
    monkeypatch.setattr("goatedvips.http.api.RETRY_WITHIN", -1.0)
    refused = read(functions, edge, member)
    assert (refused.status, refused.json["code"]) == (503, "database_unavailable")


@pytest.mark.parametrize("edge", EDGES)
def test_a_post_without_a_key_is_not_retried_after_a_lost_connection(
    wire: Wire, functions: Functions, members: Members, edge: Edge
) -> None:
    member = members.new()
    read(functions, edge, member)
    wire.cut()
    refused = write(functions, edge, member)
    assert (refused.status, refused.json["code"]) == (503, "database_unavailable")
    assert refused.headers["Retry-After"] == "1"
    assert write(functions, edge, member).status == 201


@pytest.mark.parametrize("edge", EDGES)
def test_a_post_with_a_key_is_retried_after_a_lost_connection(
    wire: Wire, functions: Functions, members: Members, edge: Edge
) -> None:
    member = members.new()
    read(functions, edge, member)
    wire.cut()
    assert write(functions, edge, member, **{"idempotency-key": "k"}).status == 201
    assert wire.connections == 2


def test_an_anonymous_post_is_not_retried_because_its_key_has_no_effect(
    wire: Wire, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    functions.call("get_wheel")
    load("register")

    def hashed(*_: object, **__: object) -> str:
        wire.cut()
        return "stored"

    monkeypatch.setattr("goatedvips.domain.accounts.passwords.hash_password", hashed)
    body = {
        "username": f"cut-{os.getpid()}",
        "email": f"cut-{os.getpid()}@example.com",
        "password": "four dancing goats",
    }
    refused = functions.call("register", body=body, headers={"idempotency-key": "k"})
    assert (refused.status, refused.json["code"]) == (503, "database_unavailable")


@pytest.mark.parametrize("edge", EDGES)
def test_a_connection_that_was_idle_for_a_minute_is_replaced_before_use(
    wire: Wire, functions: Functions, members: Members, monkeypatch: pytest.MonkeyPatch, edge: Edge
) -> None:
    member = members.new()
    read(functions, edge, member)
    read(functions, edge, member)
    assert wire.connections == 1
    wire.cut()
    now = time.monotonic()
    monkeypatch.setattr(f"goatedvips.{edge.clock}.monotonic", lambda: now + 61)
    assert write(functions, edge, member).status == 201
    assert wire.connections == 2


def test_closing_a_broken_connection_logs_nothing(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    with db.reading() as connection:
        connection.execute(sa.text("select 1"))
    wire.cut()
    with caplog.at_level(logging.ERROR):
        db.engine().dispose()
    assert caplog.records == []


@pytest.mark.parametrize("edge", EDGES)
def test_an_unreachable_database_is_answered_with_503(
    functions: Functions, members: Members, monkeypatch: pytest.MonkeyPatch, edge: Edge
) -> None:
    member = members.new()
    use(monkeypatch, f"postgresql://api@127.0.0.1:{free_port()}/nowhere")
    refused = read(functions, edge, member)
    assert (refused.status, refused.json["code"]) == (503, "database_unavailable")
    assert "127.0.0.1" not in refused.text


@pytest.mark.parametrize("edge", EDGES)
def test_a_database_without_the_schema_is_answered_with_schema_outdated(
    functions: Functions, members: Members, servers: stack.Stack, monkeypatch: pytest.MonkeyPatch, edge: Edge
) -> None:
    member = members.new()
    use(monkeypatch, servers.direct("postgres"))
    refused = read(functions, edge, member)
    assert (refused.status, refused.json["code"]) == (503, "schema_outdated")


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("insert into wheel_spins (user_id, segment_index) values (2147483647, 0)", Conflict),
        ("insert into wheel_spins (segment_index) values (null)", InternalError),
        ("insert into users (username, email, password) values ('-', '-', '-'), ('-', '+', '-')", Conflict),
        ("select nothing from users", SchemaOutdated),
        ("select 2147483647::int + 1", ValidationFailed),
        ("select pg_sleep(30)", DatabaseUnavailable),
        ("select pg_terminate_backend(pg_backend_pid())", DatabaseUnavailable),
        ("selec 1", InternalError),
    ],
)
def test_each_class_of_database_error_has_its_problem(
    statement: str, problem: type[Problem], servers: stack.Stack, monkeypatch: pytest.MonkeyPatch, database: sa.Engine
) -> None:
    use(monkeypatch, servers.direct(os.environ["TEST_DATABASE"], "postgres"))
    with pytest.raises(problem) as raised, db.transaction() as connection:
        connection.exec_driver_sql("set local statement_timeout = '100ms'")
        connection.exec_driver_sql(statement)
    assert type(raised.value) in {problem, ConnectionLost}


@pytest.fixture
def read_only(database: sa.Engine) -> Iterator[Callable[[bool], None]]:
    """Makes new connections of the functions' role read-only, or writable again, as a fail-over does."""

    def switch(on: bool) -> None:
        setting = "SET default_transaction_read_only = on" if on else "RESET default_transaction_read_only"
        with database.connect() as connection:
            connection.exec_driver_sql(f"ALTER ROLE api IN DATABASE {os.environ['TEST_DATABASE']} {setting}")

    yield switch
    switch(False)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("enclosed", [False, True])
def test_a_write_is_503_while_the_database_is_read_only(
    read_only: Callable[[bool], None],
    enclosed: bool,
    functions: Functions,
    members: Members,
    servers: stack.Stack,
    monkeypatch: pytest.MonkeyPatch,
    edge: Edge,
) -> None:
    member, headers = members.new(), {"idempotency-key": "k"} if enclosed else {}
    use(monkeypatch, servers.direct(os.environ["TEST_DATABASE"], "api"))
    read_only(True)
    assert read(functions, edge, member).status == 200
    refused = write(functions, edge, member, **headers)
    assert (refused.status, refused.json["code"]) == (503, "database_unavailable")
    assert refused.headers["Retry-After"] == "1"
    read_only(False)
    assert write(functions, edge, member, **headers).status == 201


def test_health_is_503_while_the_database_is_read_only(
    read_only: Callable[[bool], None], functions: Functions, servers: stack.Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, servers.direct(os.environ["TEST_DATABASE"], "api"))
    read_only(True)
    refused = functions.call("get_health")
    assert (refused.status, refused.json["code"]) == (503, "database_unavailable")
    assert refused.headers["Retry-After"] == "1"
    read_only(False)
    assert functions.call("get_health").status == 200


def test_a_value_that_cannot_be_read_is_an_internal_error_with_its_own_reason(wire: Wire) -> None:
    with pytest.raises(Problem) as raised, db.reading() as connection:
        connection.exec_driver_sql("select time '24:00' from generate_series(1, 2)")
    assert raised.value.code == "internal_error"
    assert raised.value.reason == "unreadable answer: ValueError"
    with db.reading() as connection:
        assert connection.exec_driver_sql("select 7").scalar_one() == 7
    assert wire.connections == 2


@pytest.mark.parametrize("error", [KeyError("x"), ArithmeticError(), RecursionError(), TimeoutError("too slow")])
@pytest.mark.parametrize("block", [db.reading, db.transaction])
def test_an_exception_while_an_answer_is_read_closes_the_connection(
    error: Exception,
    block: Callable[[], AbstractContextManager[sa.Connection]],
    monkeypatch: pytest.MonkeyPatch,
    wire: Wire,
) -> None:
    def fail(_: str) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("goatedvips.one_flight._timestamp", fail)
        with pytest.raises(Problem) as raised, block() as connection:
            connection.exec_driver_sql("select 'first'::text, timestamp '2026-01-01' from generate_series(1, 3)")
    assert isinstance(raised.value, ConnectionLost) == isinstance(error, OSError)
    with block() as connection:
        assert connection.exec_driver_sql("select 'second'").all() == [("second",)]
    assert wire.connections == 2


def test_an_interrupt_while_an_answer_is_read_closes_the_connection(
    monkeypatch: pytest.MonkeyPatch, wire: Wire
) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("goatedvips.one_flight._timestamp", interrupt)
        with pytest.raises(KeyboardInterrupt), db.transaction() as connection:
            connection.exec_driver_sql("select timestamp '2026-01-01' from generate_series(1, 3)")
    with db.transaction() as connection:
        assert connection.exec_driver_sql("select 7").scalar_one() == 7
    assert wire.connections == 2


@pytest.mark.parametrize("idle", [False, True])
def test_a_fatal_error_of_the_server_reaches_the_log(
    idle: bool, servers: stack.Stack, monkeypatch: pytest.MonkeyPatch, database: sa.Engine
) -> None:
    use(monkeypatch, servers.direct(os.environ["TEST_DATABASE"], "postgres"))
    with db.reading() as connection:
        backend = connection.exec_driver_sql("select pg_backend_pid()").scalar_one()
    if idle:
        with database.connect() as other:
            other.exec_driver_sql(f"select pg_terminate_backend({backend}, 5000)")
    with pytest.raises(ConnectionLost) as raised, db.transaction() as connection:
        connection.exec_driver_sql("select pg_terminate_backend(pg_backend_pid())")
    assert raised.value.reason == "57P01 terminating connection due to administrator command"
    assert raised.value.retry_after == 1


def test_roles_have_their_time_limits(servers: stack.Stack) -> None:
    for role, lock, statement in (("api", "5s", "8s"), ("jobs", "30s", "0")):
        engine = db.make_engine(servers.direct(os.environ["TEST_DATABASE"], role))
        with engine.connect() as connection:
            assert connection.exec_driver_sql("show lock_timeout").scalar_one() == lock
            assert connection.exec_driver_sql("show statement_timeout").scalar_one() == statement
        engine.dispose()


def test_the_statement_of_a_refusal_is_committed_after_the_roll_back(database: sa.Engine) -> None:
    mark = {"subject": f"refusal-{os.getpid()}", "address": "-", "attempted_at": sa.func.now()}
    undone = sa.insert(attempts).values(kind="undone", **mark)
    left = sa.insert(attempts).values(kind="left", **mark)
    with suppress(NotFound), db.transaction() as connection:
        connection.execute(undone)
        raise NotFound(leaves=left)
    with database.connect() as connection:
        kinds = connection.execute(sa.select(attempts.c.kind).where(attempts.c.subject == mark["subject"]))
        assert kinds.scalars().all() == ["left"]


def test_commit_in_flight_commits_although_the_block_fails_afterwards(database: sa.Engine) -> None:
    mark = {"subject": f"in-flight-{os.getpid()}", "address": "-", "attempted_at": sa.func.now()}
    with suppress(NotFound), db.transaction() as connection:
        connection.execute(sa.insert(attempts).values(kind="k", **mark), execution_options={"commit_in_flight": True})
        raise NotFound
    with suppress(NotFound), db.enclosing_transaction(), db.transaction() as connection:
        connection.execute(
            sa.insert(attempts).values(kind="enclosed", **mark), execution_options={"commit_in_flight": True}
        )
        raise NotFound
    with database.connect() as connection:
        kinds = connection.execute(sa.select(attempts.c.kind).where(attempts.c.subject == mark["subject"]))
        assert kinds.scalars().all() == ["k"]


def test_queries_are_logged_with_their_time_and_without_their_values(
    servers: stack.Stack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(db, "settings", replace(settings, query_log=True))
    engine = use(monkeypatch, servers.direct(os.environ["TEST_DATABASE"]))
    with caplog.at_level(logging.INFO, "goatedvips.db"), db.reading() as connection:
        connection.execute(sa.text("select cast(:secret as text)"), {"secret": "hunter2"})
    engine.dispose()
    (record,) = (record for record in caplog.records if record.name == "goatedvips.db")
    assert "select cast($1" in record.statement  # type: ignore[attr-defined]
    assert record.milliseconds > 0  # type: ignore[attr-defined]
    assert "hunter2" not in str(record.__dict__)


def test_connections_to_other_hosts_verify_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}
    engine = db.make_engine("postgresql://api@database.example:5432/goatedvips")

    @sa.event.listens_for(engine, "do_connect")
    def look(_: object, __: object, ___: object, parameters: dict[str, object]) -> None:
        given.update(parameters)
        raise OSError("far enough")

    with pytest.raises(OSError, match="far enough"):
        engine.connect()
    context = given["ssl_context"]
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname

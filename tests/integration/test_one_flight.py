"""The bytes that the one-flight dialect sends, and what it does if a part of a flight fails."""

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.schema import Instant
from goatedvips.postgres_errors import sqlstate
from tests.support import stack
from tests.support.wire import Wire


@pytest.fixture
def wire(servers: stack.Stack) -> Iterator[Wire]:
    """A proxy in front of PostgreSQL, past the pooler, that counts round trips."""
    wire = Wire(servers.postgres)
    yield wire
    wire.close()


@pytest.fixture
def engine(wire: Wire) -> Iterator[sa.Engine]:
    """An engine with one connection through the proxy."""
    url = f"postgresql+oneflight://postgres@127.0.0.1:{wire.port}/{os.environ['TEST_DATABASE']}"
    engine = sa.create_engine(url, pool_size=1, max_overflow=0, connect_args={"ssl_context": False})
    yield engine
    engine.dispose()


def messages(flight: bytes) -> list[bytes]:
    """The message types in a flight; a simple query with its text."""
    found = []
    while flight:
        size = int.from_bytes(flight[1:5])
        found.append(flight[:1] + (b" " + flight[5:size] if flight[:1] == b"Q" else b""))
        flight = flight[size + 1 :]
    return found


def test_the_first_connect_sends_no_query(wire: Wire, engine: sa.Engine) -> None:
    with engine.connect():
        pass
    assert wire.trips == 1


def test_no_write_waits_for_the_acknowledgement_of_the_one_before(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        assert driver._usock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_begin_and_commit_are_sent_with_the_statement(wire: Wire, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("select cast(:x as int)"), {"x": 1})
        connection.execute(sa.text("select cast(:x as int)"), {"x": 2}, execution_options={"commit_in_flight": True})
    first, last = wire.sent[-2:]
    assert messages(first) == [b"Q begin transaction", b"P", b"B", b"D", b"E", b"S"]
    assert messages(last) == [b"P", b"B", b"D", b"E", b"S", b"Q commit"]


def test_a_read_in_autocommit_sends_only_the_statement(wire: Wire, engine: sa.Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("select cast(:x as int)"), {"x": 1})
    assert messages(wire.sent[-1]) == [b"P", b"B", b"D", b"E", b"S"]
    assert wire.trips == 2
    with engine.begin() as connection:  # the mode ends with the block
        connection.execute(sa.text("select cast(:x as int)"), {"x": 1})
    assert messages(wire.sent[-2])[0] == b"Q begin transaction"


def test_the_isolation_level_is_sent_in_begin(wire: Wire, engine: sa.Engine) -> None:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(sa.text("select 1"))
        level = connection.exec_driver_sql("show transaction_isolation").scalar_one()
    assert level == "repeatable read"
    assert messages(wire.sent[1])[0] == b"Q begin transaction isolation level REPEATABLE READ"
    with engine.connect() as connection:
        assert connection.exec_driver_sql("show transaction_isolation").scalar_one() == "read committed"


def test_a_parameter_that_cannot_be_sent_sends_nothing(wire: Wire, engine: sa.Engine) -> None:
    with engine.connect() as connection:
        before = len(wire.sent)
        with pytest.raises(UnicodeEncodeError):
            connection.execute(sa.text("select cast(:x as text)"), {"x": "\ud800"})
        assert len(wire.sent) == before
        assert connection.execute(sa.text("select cast(:x as text)"), {"x": "é"}).scalar_one() == "é"


def test_after_a_refused_statement_the_next_one_gets_its_own_answer(engine: sa.Engine) -> None:
    for options in ({}, {"commit_in_flight": True}):
        with pytest.raises(sa.exc.DBAPIError) as raised, engine.begin() as connection:
            connection.execute(sa.text("select 1 / cast(:x as int)"), {"x": 0}, execution_options=options)
        assert sqlstate(raised.value.orig) == "22012"
        assert not raised.value.connection_invalidated
        with engine.begin() as connection:
            assert connection.execute(sa.text("select cast(:x as int)"), {"x": 7}).scalar_one() == 7


def test_a_refused_statement_with_commit_commits_nothing(engine: sa.Engine) -> None:
    insert = sa.text("insert into attempts (kind, subject, address, attempted_at) values (:kind, '-', '-', now())")
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
        connection.execute(insert, {"kind": "flight"})
        connection.execute(insert, {"kind": None}, execution_options={"commit_in_flight": True})
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select count(*) from attempts where kind = 'flight'").scalar_one() == 0


def test_values_are_read_as_they_were_sent(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        row = connection.execute(
            sa.text(
                "select cast(:money as numeric), cast(:nothing as text), cast(:octets as bytea),"
                " cast(:flag as boolean), cast(:percent as text), '100%' || cast(:quote as text)"
            ),
            {
                "money": Decimal("0.10"),
                "nothing": None,
                "octets": b"\x00\xff",
                "flag": True,
                "percent": "%s %(x)s $1",
                "quote": "'\"\\",
            },
        ).one()
    assert tuple(row) == (Decimal("0.10"), None, b"\x00\xff", True, "%s %(x)s $1", "100%'\"\\")


@pytest.mark.parametrize("driver", ["oneflight", "transactional"])
def test_an_instant_that_no_calendar_of_ours_holds_is_its_nearest(servers: stack.Stack, driver: str) -> None:
    url = sa.make_url(servers.direct(os.environ["TEST_DATABASE"])).set(drivername=f"postgresql+{driver}")
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    half = datetime(2026, 5, 1, 12, 0, 0, 500_000, UTC)
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        for stored, read in (
            *(("0044-03-15 12:00:00 BC", first), ("-infinity", first), ("0001-01-01", first)),
            *(("infinity", last), ("294276-12-31", last), ("9999-12-31 23:59:59.999999", last)),
            ("2026-05-01 12:00:00.5", half),
        ):
            value = sa.literal_column(f"timestamp '{stored}'", Instant())
            assert connection.execute(sa.select(value)).scalar_one() == read, stored


def test_a_description_that_was_read_before_belongs_to_the_same_columns_only(engine: sa.Engine) -> None:
    statements = {
        "select 1 as value": 1,
        "select cast(1 as numeric) as value": Decimal(1),
        "select cast(1 as text) as value": "1",
        "select 1 as value where false": None,
    }
    with engine.connect() as connection:
        for _ in range(3):
            for statement, value in statements.items():
                read = connection.execute(sa.text(statement)).scalar_one_or_none()
                assert (type(read), read) == (type(value), value)


def test_many_rows_need_one_round_trip(wire: Wire, engine: sa.Engine) -> None:
    with engine.connect() as connection:
        assert (
            len(connection.execute(sa.text("select generate_series(1, cast(:n as int))"), {"n": 50_000}).all())
            == 50_000
        )
    assert wire.trips == 3, "connect, read, roll back"


def test_a_cut_connection_is_invalidated(wire: Wire, engine: sa.Engine) -> None:
    with engine.connect() as connection:
        connection.execute(sa.text("select 1"))
        wire.cut()
        with pytest.raises(sa.exc.DBAPIError) as raised:
            connection.execute(sa.text("select 1"))
        assert raised.value.connection_invalidated
    with engine.connect() as connection:
        assert connection.execute(sa.text("select 1")).scalar_one() == 1

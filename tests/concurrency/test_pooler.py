"""Behind a transaction pooler every statement gets its own answer, with either dialect and without SQLAlchemy."""

import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Literal

import pg8000
import pytest
import sqlalchemy as sa

from goatedvips import postgres  # noqa: F401 - registers the dialects
from goatedvips.compiled import Compiled
from goatedvips.light_connection import Database
from goatedvips.light_db import Connection
from goatedvips.postgres_server import Server
from tests.support import stack

THREADS = 24
STATEMENTS = 250


@pytest.mark.parametrize(
    ("dialect", "mode"),
    [("oneflight", "autocommit"), ("oneflight", "transaction"), ("transactional", "transaction")],
)
def test_six_thousand_statements_get_six_thousand_right_answers(
    pooled_servers: stack.Stack, dialect: str, mode: Literal["autocommit", "transaction"]
) -> None:
    url = sa.make_url(pooled_servers.pooled(os.environ["TEST_DATABASE"])).set(drivername=f"postgresql+{dialect}")
    engine = sa.create_engine(url, pool_size=THREADS, connect_args={"ssl_context": False})
    start = threading.Barrier(THREADS)

    def connection() -> AbstractContextManager[sa.Connection]:
        if mode == "transaction":
            return engine.begin()
        return engine.execution_options(isolation_level="AUTOCOMMIT").connect()

    def ask(thread: int) -> Counter[str]:
        found: Counter[str] = Counter()
        start.wait(30)
        for turn in range(STATEMENTS):
            expected = thread * 10_000 + turn
            with connection() as asking:
                # The text differs in each statement: what the pooler mixes up, shows.
                got = asking.execute(
                    sa.text(f"select cast(:x as int), '{expected}' as s{thread}"), {"x": expected}
                ).one()
            found["right" if tuple(got) == (expected, str(expected)) else "wrong"] += 1
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        total = sum(pool.map(ask, range(THREADS)), Counter[str]())
    engine.dispose()
    assert total == {"right": THREADS * STATEMENTS}


@pytest.mark.parametrize("mode", ["autocommit", "transaction"])
def test_a_light_connection_gets_six_thousand_right_answers(pooled_servers: stack.Stack, mode: str) -> None:
    url = pooled_servers.pooled(os.environ["TEST_DATABASE"])
    start = threading.Barrier(THREADS)

    def ask(thread: int) -> Counter[str]:
        found: Counter[str] = Counter()
        database = Database(Server(url, iam=False, ca_file="", timeout=30.0))
        database.open()
        connection = Connection(database, autocommit=mode == "autocommit")
        start.wait(30)
        for turn in range(STATEMENTS):
            expected = thread * 10_000 + turn
            text = f"select $1::int as given, {expected} as s{thread}"
            statement = Compiled("", text, ("x",), commit_in_flight=mode == "transaction")
            row = connection.execute(statement, {"x": expected}).one()
            right = vars(row) == {"given": expected, f"s{thread}": expected} and not database.in_transaction
            found["right" if right else "wrong"] += 1
        database.close()
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        total = sum(pool.map(ask, range(THREADS)), Counter[str]())
    assert total == {"right": THREADS * STATEMENTS}


def test_the_fall_back_refuses_autocommit(servers: stack.Stack) -> None:
    url = sa.make_url(servers.direct(os.environ["TEST_DATABASE"])).set(drivername="postgresql+transactional")
    engine = sa.create_engine(url, connect_args={"ssl_context": False})
    with (
        pytest.raises(pg8000.NotSupportedError, match=r"autocommit needs pg8000 1\.31\.6"),
        engine.connect() as connection,
    ):
        connection.execution_options(isolation_level="AUTOCOMMIT")

"""Runs work concurrently: each piece on its own connection, all released at the same moment."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from goatedvips import db, light_db
from goatedvips.light_connection import make_database
from tests.support.functions import Context, event, function_name, load
from tests.support.processes import fork_server

type Work = Callable[[Connection], Any]


def at_once[T](url: str, works: Sequence[Callable[[Connection], T]]) -> list[T | Exception]:
    """Run each work in a thread and a transaction of its own, and return what each returned or raised, in order.

    The connections are made by the database edge, as for a function; only here there are several in one process.
    """
    ready = threading.Barrier(len(works))

    def run(work: Callable[[Connection], T]) -> T | Exception:
        engine = db.make_engine(url)
        try:
            with engine.connect():  # connects before the barrier
                pass
            ready.wait(60)
            with engine.begin() as connection:
                return work(connection)
        except Exception as error:  # noqa: BLE001 - the exception is the result
            return error
        finally:
            engine.dispose()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def at_once_behind[T](
    database: sa.Engine, row: sa.Select[Any], url: str, works: Sequence[Callable[[Connection], T]]
) -> list[T | Exception]:
    """As `at_once`, but a row that every work needs is locked until all of them wait for it.

    A barrier does not guarantee that they overlap: they might run one after the other, and hide a missing lock.
    """
    with ThreadPoolExecutor(1) as pool:
        with locked_until_waiting(database, row, len(works)):
            results = pool.submit(lambda: at_once(url, works))
        return results.result()


def run_behind(
    database: sa.Engine, url: str, first: Callable[[Connection], object], second: Callable[[Connection], Any]
) -> Any:
    """Return what the second work returned or raised; the first one commits as soon as the second one waits for it."""
    engine = db.make_engine(url)
    with ThreadPoolExecutor(1) as pool:
        with engine.connect().execution_options(commit_in_flight=False) as holder, holder.begin():
            first(holder)
            waiting = pool.submit(at_once, url, [second])
            await_waiting(database, 1)
        (result,) = waiting.result()
    engine.dispose()
    return result


@contextmanager
def locked_until_waiting(database: sa.Engine, row: sa.Select[Any], count: int) -> Iterator[None]:
    """Lock a row FOR UPDATE while the block starts work that needs it, and until `count` sessions wait for a lock."""
    with database.connect() as holder:
        holder.execution_options(isolation_level="READ COMMITTED")
        holder.execute(row.with_for_update()).one()
        yield
        try:
            await_waiting(database, count)
        finally:
            holder.commit()


def await_waiting(database: sa.Engine, count: int) -> None:
    """Return once `count` sessions of the database wait for a lock; fail if they don't within a minute."""
    end, waited = time.monotonic() + 60, 0
    while waited < count and time.monotonic() < end:
        time.sleep(0.05)
        waited = _waiting(database)
    assert waited == count


def call_at_once(url: str, name: str, count: int, **changes: Any) -> list[dict[str, Any]]:
    """Send one request to as many Lambda environments: processes, each of which imports the handler for itself."""
    context = fork_server()
    ready = context.Barrier(count)
    answers: Any = context.SimpleQueue()
    given = event(name, **changes)
    processes = [context.Process(target=_call, args=(url, name, given, ready, answers)) for _ in range(count)]
    for process in processes:
        process.start()
    collected = [answers.get() for _ in processes]
    for process in processes:
        process.join(30)
    return collected


def _call(url: str, name: str, given: dict[str, Any], ready: Any, answers: Any) -> None:
    handler = load(name).handler
    with use_database(url).connect():
        light_db.database().open()
    ready.wait(60)
    answers.put(handler(given, Context(function_name(name), "test")))


def use_database(url: str) -> sa.Engine:
    """Let the handlers of this process use another database than its settings say. Return their engine."""
    os.environ["DATABASE_URL"] = url
    engine, database = db.make_engine(url), make_database(url)
    setattr(db, "engine", lambda: engine)  # noqa: B010 - this process has other settings
    setattr(light_db, "database", lambda: database)  # noqa: B010
    return engine


def overlapping(database: sa.Engine, first: tuple[str, Work], second: tuple[str, Work]) -> list[Any]:
    """Run two works, the second one before the first one commits. Return what each returned or raised.

    The second one waits for the first one's commit if it needs a lock of it, and else commits before it.

    Parameters
    ----------
    first, second: the URL of the database, which says with which role, and the work.
    """
    url, work = first
    engine = db.make_engine(url)
    try:
        with ThreadPoolExecutor(1) as pool, engine.connect() as connection:
            result = _result(work, connection)
            running = pool.submit(at_once, second[0], [second[1]])
            while not running.done() and not _waiting(database):
                time.sleep(0.01)
            if isinstance(result, Exception):
                connection.rollback()
            else:
                connection.commit()
            return [result, *running.result()]
    finally:
        engine.dispose()


def _result(work: Work, connection: Connection) -> Any:
    try:
        return work(connection.execution_options(enclosed=True))
    except Exception as error:  # noqa: BLE001 - the exception is the result
        return error


def _waiting(database: sa.Engine) -> int:
    """Count the sessions of the database that wait for a lock."""
    waiting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name AND wait_event_type = 'Lock'")
    with database.connect() as watcher:
        return int(watcher.execute(waiting, {"name": os.environ["TEST_DATABASE"]}).scalar_one())

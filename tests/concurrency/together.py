"""Many at once: each on its own connection, all released at the same moment."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import Connection

from goatedvips import db
from tests.requests import Context, event, function_name, load


def at_once[T](address: str, works: list[Callable[[Connection], T]]) -> list[T | Exception]:
    """Run each in a thread, in a transaction of its own; what it returned or raised, in order.

    It goes through the database edge as a function does, but for the one connection a process.
    """
    ready = threading.Barrier(len(works))

    def run(work: Callable[[Connection], T]) -> T | Exception:
        engine = db.make_engine(address)
        try:
            with engine.connect():  # connected before the start
                pass
            ready.wait(60)
            with engine.begin() as connection:
                return work(connection)
        except Exception as error:  # noqa: BLE001 - it is the result
            return error
        finally:
            engine.dispose()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def call_at_once(address: str, name: str, count: int, **changes: Any) -> list[dict[str, Any]]:
    """Send one request in as many Lambda environments: processes, each with its own import of the handler."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.concurrency.preloaded"])
    ready = context.Barrier(count)
    answers: Any = context.SimpleQueue()
    given = event(name, **changes)
    processes = [context.Process(target=_call, args=(address, name, given, ready, answers)) for _ in range(count)]
    for process in processes:
        process.start()
    collected = [answers.get() for _ in processes]
    for process in processes:
        process.join(30)
    return collected


def _call(address: str, name: str, given: dict[str, Any], ready: Any, answers: Any) -> None:
    os.environ["DATABASE_URL"] = address
    engine = db.make_engine(address)
    setattr(db, "engine", lambda: engine)  # noqa: B010 - as if this process had read its own settings
    handler = load(name).handler
    with db.engine().connect():
        pass
    ready.wait(60)
    answers.put(handler(given, Context(function_name(name), "test")))

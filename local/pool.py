"""Worker processes that run the functions. Each handles one event at a time, like an execution environment of Lambda.

Handlers never run in threads of one process: Powertools stores the current event on its class, so concurrent requests
would get each other's answers.
"""

import json
import multiprocessing
import os
import queue
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from local.clock import MovableClock
from local.sources import Sources
from local.worker import ACCOUNT, REGION, Answer, Call, work

# Modules that most handlers import: they are loaded once, and every worker inherits them. None belongs to the project,
# whose modules read their environment when they are imported.
PRELOADED = (
    "local.worker",
    "aws_lambda_powertools.event_handler.openapi.models",
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.metrics",
    "argon2",
    "pg8000.legacy",
    "pydantic",
    "sqlalchemy.dialects.postgresql.pg8000",
)
# Seconds that a request waits for a free worker. API Gateway's own time-out for a function is 30 s.
LONGEST_WAIT = 30.0

BASE_VARIABLES = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCOUNT_ID": ACCOUNT,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "LANG": "en_US.UTF-8",
    "TZ": "UTC",
}


@dataclass(frozen=True)
class Function:
    """A function of the template, with everything that its process needs."""

    name: str
    file: Path
    attribute: str
    timeout: int
    memory: int
    variables: dict[str, str]
    layers: tuple[Path, ...]
    """The folders of its layers."""

    @property
    def import_path(self) -> tuple[Path, ...]:
        """From where the packages of its layers are imported; a folder can itself be a package."""
        return tuple(layer.parent if (layer / "__init__.py").exists() else layer for layer in self.layers)


class FunctionError(Exception):
    """The function raised, or its process ended; `report` is the error as Lambda's runtime reports it."""

    def __init__(self, function: str, report: dict[str, Any]) -> None:
        """Compose the message from the report's type and message."""
        self.function, self.report = function, report
        super().__init__(f"{function}: {report.get('errorType')}: {report.get('errorMessage')}")


class FunctionTimeoutError(FunctionError):
    """The function took longer than its `Timeout`, or no worker became free."""


@dataclass
class _Worker:
    process: ForkServerProcess
    connection: Connection
    generation: int
    """The number of edits of the code before it started."""


@dataclass
class _Group:
    """The workers that share one set of environment variables."""

    variables: dict[str, str]
    idle: "queue.LifoQueue[_Worker]" = field(default_factory=queue.LifoQueue)
    started: int = 0


class Pool:
    """Invokes functions by their logical id. Functions with equal environment variables share a group of workers.

    A group grows with its load up to `limit` workers. A worker that dies or times out is replaced.

    Parameters
    ----------
    log: the file that takes what functions print.
    clock: what functions read as the present instant; without it the real time.

    """

    def __init__(
        self, functions: Iterable[Function], log: Path, limit: int | None = None, clock: MovableClock | None = None
    ) -> None:
        """Prepare the groups. No worker is started yet."""
        self.clock = clock or MovableClock()
        self.functions = {function.name: function for function in functions}
        self.log = log
        log.touch()
        self._limit = limit or max(4, os.cpu_count() or 1)
        self._context = multiprocessing.get_context("forkserver")
        self._groups: dict[tuple[tuple[str, str], ...], _Group] = {}
        self._workers: set[ForkServerProcess] = set()
        self._lock = threading.Lock()
        self._stopped = False
        self._sources = Sources(
            folder for function in self.functions.values() for folder in (function.file.parent, *function.layers)
        )
        self._generation = 0

    def warm_up(self) -> None:
        """Start all workers of the largest group, so that the first requests need not wait for them."""
        groups = [self._group(function) for function in self.functions.values()]
        if groups:
            largest = max(groups, key=lambda group: sum(other is group for other in groups))
            while self._may_grow(largest):
                largest.idle.put(self._start(largest))

    def invoke(self, name: str, event: Any, request_id: str | None = None) -> Any:  # noqa: ANN401  any JSON value
        """Run a function on an event and return its answer.

        Raises
        ------
        FunctionTimeoutError: it took longer than its time-out, or no worker became free.
        FunctionError: it raised, or its process ended.

        """
        function = self.functions[name]
        clock, moved = self.clock.sent()
        call = Call(
            function=name,
            file=str(function.file),
            attribute=function.attribute,
            seconds=function.timeout,
            memory=function.memory,
            request_id=request_id or str(uuid.uuid4()),
            event=json.dumps(event),
            clock=clock,
            moved=moved,
        )
        answer = self._run(self._group(function), call)
        value = json.loads(answer.text)
        if answer.failed:
            raise FunctionError(name, value)
        return value

    def stop(self) -> None:
        """Kill all workers at once; PostgreSQL rolls their open transactions back."""
        with self._lock:
            self._stopped = True
            workers, self._workers = self._workers, set()
        for process in workers:
            process.kill()
        for process in workers:
            process.join()

    def _run(self, group: _Group, call: Call) -> Answer:
        worker = self._take(group, call)
        try:
            worker.connection.send(call)
            answer: Answer | None = worker.connection.recv() if worker.connection.poll(call.seconds) else None
        except (EOFError, OSError):
            self._discard(group, worker)
            text = "the process ended without an answer"
            raise FunctionError(call.function, _report("Runtime.ExitError", text)) from None
        except BaseException:
            self._discard(group, worker)
            raise
        if answer is None:
            self._discard(group, worker)
            text = f"Task timed out after {call.seconds} seconds"
            raise FunctionTimeoutError(call.function, _report("Sandbox.Timedout", text))
        group.idle.put(worker)
        return answer

    def _take(self, group: _Group, call: Call) -> _Worker:
        """Return the free worker that was used last, or else a new one, or else the first one that becomes free.

        A worker that started before the code was edited is replaced.
        """
        if self._sources.have_changed():
            self._generation += 1
        end = time.monotonic() + LONGEST_WAIT
        while True:
            try:
                worker = group.idle.get_nowait()
            except queue.Empty:
                if self._may_grow(group):
                    return self._start(group)
                try:
                    # A worker that died is never put back, but makes room for a new one: so look again twice a second.
                    worker = group.idle.get(timeout=0.5)
                except queue.Empty:
                    if time.monotonic() > end:
                        report = _report("TooManyRequestsException", "no worker became free")
                        raise FunctionTimeoutError(call.function, report) from None
                    continue
            if worker.process.is_alive() and worker.generation == self._generation:
                return worker
            self._discard(group, worker)

    def _group(self, function: Function) -> _Group:
        key = tuple(sorted(function.variables.items()))
        with self._lock:
            return self._groups.setdefault(key, _Group(BASE_VARIABLES | function.variables))

    def _may_grow(self, group: _Group) -> bool:
        with self._lock:
            grows = group.started < self._limit
            group.started += grows
            return grows

    def _start(self, group: _Group) -> _Worker:
        """Fork a worker. The caller has taken a slot of the group for it; it is given back if the start fails.

        Raises
        ------
        FunctionError: the pool is stopping, or the operating system starts no process.

        """
        ours, theirs = self._context.Pipe()
        path = list(
            dict.fromkeys(str(folder) for function in self.functions.values() for folder in function.import_path)
        )
        arguments = (theirs, group.variables, path, str(self.log), self.clock.moved)
        process = self._context.Process(target=work, args=arguments, daemon=True)
        generation = self._generation
        try:
            self._register(process)
        except BaseException as error:
            with self._lock:
                group.started -= 1
            ours.close()
            if isinstance(error, (OSError, EOFError)):
                report = _report("Runtime.StartError", f"no worker could be started: {error}")
                raise FunctionError("pool", report) from error
            raise
        finally:
            theirs.close()
        return _Worker(process, ours, generation)

    def _register(self, process: ForkServerProcess) -> None:
        """Start a process that `stop` ends."""
        with self._lock:
            if self._stopped:
                raise FunctionError("pool", _report("Shutdown", "the local API is stopping"))
            process.start()
            self._workers.add(process)

    def _discard(self, group: _Group, worker: _Worker) -> None:
        with self._lock:
            group.started -= 1
            self._workers.discard(worker.process)
        worker.process.kill()
        worker.process.join()
        worker.connection.close()


def prepare() -> None:
    """Start the process that workers are forked from. It imports the preloaded modules in the background."""
    multiprocessing.set_forkserver_preload(list(PRELOADED))
    forkserver.ensure_running()


def _report(kind: str, message: str) -> dict[str, Any]:
    return {"errorType": kind, "errorMessage": message}

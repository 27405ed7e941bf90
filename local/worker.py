"""A worker process stands for one execution environment: it handles one event at a time, and imports a handler once."""

import contextlib
import importlib
import importlib.util
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from ctypes import c_longlong
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from local.clock import Clock

REGION, ACCOUNT = "us-east-1", "123456789012"

type Handler = Callable[[Any, Context], Any]


@dataclass(frozen=True)
class Call:
    """One invocation, as it is sent to the worker."""

    function: str
    file: str
    attribute: str
    seconds: int
    memory: int
    request_id: str
    event: str
    clock: Clock
    moved: int
    """The value that `MovableClock.moved` had when the clock was read."""


@dataclass(frozen=True)
class Answer:
    """The function's return value as JSON text, or its error as Lambda's runtime reports it."""

    text: str
    failed: bool = False


@dataclass
class Context:
    """Lambda's context object, the second parameter of a handler."""

    call: Call
    function_version: str = "$LATEST"
    identity: None = None
    client_context: None = None
    _end: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin to count the function's time."""
        self._end = time.monotonic() + self.call.seconds
        self.function_name = self.call.function
        self.memory_limit_in_mb = str(self.call.memory)
        self.aws_request_id = self.call.request_id
        self.invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.call.function}"
        self.log_group_name = f"/aws/lambda/{self.call.function}"
        self.log_stream_name = f"local/{os.getpid()}"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the function's time-out."""
        return max(0, int((self._end - time.monotonic()) * 1000))


class ShownClock:
    """The clock of the present call, in place of the layer's: handlers read it as `goatedvips.clock.utc_now`.

    Parameters
    ----------
    moved: see `MovableClock.moved`. A call that takes long, such as one that looks for mail, follows a move meanwhile.

    """

    def __init__(self, moved: c_longlong) -> None:
        self._moved = moved

    def show(self, call: Call) -> None:
        """Show the clock of a call."""
        self._clock, self._moved_before = call.clock, call.moved

    def now(self) -> datetime:
        """Return the instant that the clock shows."""
        return self._clock.now() + timedelta(microseconds=self._moved.value - self._moved_before)

    def install(self) -> None:
        """Replace the layer's clock. It must happen before a handler is loaded, which takes the function by name."""
        with contextlib.suppress(ModuleNotFoundError):  # a function without the layer
            importlib.import_module("goatedvips.postgres_server")  # it signs for AWS, by the real time
            vars(importlib.import_module("goatedvips.clock"))["utc_now"] = self.now


def work(connection: Connection, variables: dict[str, str], path: list[str], log: str, moved: c_longlong) -> None:
    """Answer calls until the other end of the connection is closed.

    Parameters
    ----------
    connection: it receives calls and sends answers.
    variables: the complete environment. No variable of the developer's shell remains, in particular no AWS credentials.
    path: folders of the layers, to be put first on `sys.path`, as `/opt/python` is on Lambda.
    log: the file to which handlers print and log.
    moved: see `MovableClock.moved`.

    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the pool kills workers
    os.environ.clear()
    os.environ.update(variables)
    sys.path[:0] = path
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    handlers: dict[tuple[str, str], Handler] = {}
    shown = ShownClock(moved)
    while True:
        try:
            call: Call = connection.recv()
        except (EOFError, OSError):
            return
        shown.show(call)
        connection.send(_answer(call, handlers, shown))


def _answer(call: Call, handlers: dict[tuple[str, str], Handler], shown: ShownClock) -> Answer:
    """Call the handler as Lambda's runtime does, and report its error as the runtime does."""
    os.environ["AWS_LAMBDA_FUNCTION_NAME"] = call.function
    os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = str(call.memory)
    key = (call.file, call.attribute)
    try:
        if key not in handlers:
            shown.install()
            handlers[key] = _load(*key)
        return Answer(json.dumps(handlers[key](json.loads(call.event), Context(call))))
    except BaseException as error:  # noqa: BLE001  a handler that calls sys.exit() fails its event, not the pool
        traceback.print_exc()
        trace = traceback.format_exception(error)
        report = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": trace}
        return Answer(json.dumps(report), failed=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _load(file: str, attribute: str) -> Handler:
    """Import a function's file by its path, under its module name on Lambda, and return the handler."""
    name = Path(file).stem
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    handler: Handler = getattr(module, attribute)
    return handler

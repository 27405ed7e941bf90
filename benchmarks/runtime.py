"""One function on Lambda's own runtime client, with the CPU time and the memory of its process.

This module stands in for the Lambda runtime API: the client asks it for the next event and posts the answers to it,
over HTTP as on Lambda. The process sees only the function's folder, the layer and the runtime client.
Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Self, override
from uuid import uuid4

NEXT = "/2018-06-01/runtime/invocation/next"
LONGEST_WAIT = 60.0
"""Seconds to wait for a start or for an answer."""


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds, user and system, that a process has used so far.

    Source: clock_getcpuclockid(3), whose result on Linux is computed as here.
    """
    return time.clock_gettime(~pid << 3 | 2)


@dataclass(frozen=True)
class Invocation:
    """One answer.

    Parameters
    ----------
    answer: what the handler returned.
    cpu: the CPU seconds of the process from the event to the answer.
    """

    answer: Any
    cpu: float


class InvocationFailed(RuntimeError):
    """The handler raised, its module could not be imported, or the process ended."""


class Runtime:
    """The process of one function, started by entering it as a context.

    Parameters
    ----------
    folder: the function's code (`CodeUri`), the working directory of the process.
    handler: the module and the function in it, as `spin_wheel.handler`.
    path: the folders of the layer and of the runtime client.
    variables: the environment variables of the function.
    """

    def __init__(self, folder: Path, handler: str, path: Sequence[Path], variables: dict[str, str]) -> None:
        self._command = [sys._base_executable, "-S", "-m", "awslambdaric", handler]  # type: ignore[attr-defined]  # noqa: SLF001
        self._folder = folder
        self._path = os.pathsep.join(map(str, path))
        self._variables = variables
        self._events: SimpleQueue[bytes | None] = SimpleQueue()
        self._idle: SimpleQueue[float] = SimpleQueue()
        self._answers: SimpleQueue[tuple[bytes, float, bool]] = SimpleQueue()
        self.started_cpu = 0.0

    def __enter__(self) -> Self:
        """Start the API and the process."""
        self._server = _Api(("127.0.0.1", 0), self._events, self._idle, self._answers)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=self._variables
            | {
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
                "AWS_LAMBDA_LOG_FORMAT": "JSON",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
                "LAMBDA_TASK_ROOT": str(self._folder),
                "PYTHONPATH": self._path,
                "PYTHONDONTWRITEBYTECODE": "1",  # Lambda mounts code and layer read-only
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._server.pid = self._process.pid
        return self

    def __exit__(self, *_: object) -> None:
        """End the process and the API."""
        self._process.kill()
        self._process.wait()
        self._events.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def invoke(self, event: object) -> Invocation:
        """Send an event and wait for its answer.

        Raises
        ------
        InvocationFailed
        """
        before = self._wait(self._idle)
        self.started_cpu = self.started_cpu or before
        self._events.put(json.dumps(event).encode())
        body, after, failed = self._wait(self._answers)
        if failed:
            raise InvocationFailed(f"{self._command[-1]}: {body.decode()}")
        return Invocation(json.loads(body), after - before)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def cpu(self) -> float:
        """The CPU seconds of the process since its start."""
        return cpu_seconds(self.pid)

    @property
    def peak_memory(self) -> float:
        """The largest resident set of the process so far, in MB."""
        return self._memory("VmHWM")

    @property
    def memory(self) -> float:
        """The present resident set of the process, in MB."""
        return self._memory("VmRSS")

    def _memory(self, name: str) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) / 1024

    def _wait[T](self, queue: SimpleQueue[T]) -> T:
        end = time.monotonic() + LONGEST_WAIT
        while time.monotonic() < end:
            try:
                return queue.get(timeout=0.5)
            except Empty:
                if self._process.poll() is not None:
                    break
        reason = "" if self._answers.empty() else self._answers.get()[0].decode()
        raise InvocationFailed(f"{self._command[-1]} ended or did not answer. {reason}")


class _Api(ThreadingHTTPServer):
    """The Lambda runtime API for one process; it reads the process's CPU clock at each request."""

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        events: SimpleQueue[bytes | None],
        idle: SimpleQueue[float],
        answers: SimpleQueue[tuple[bytes, float, bool]],
    ) -> None:
        super().__init__(address, _Request)
        self.events, self.idle, self.answers = events, idle, answers
        self.pid = 0

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: the process that was ended reset its connections."""


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Api

    def do_GET(self) -> None:
        """Give the next event, as soon as there is one."""
        if self.path != NEXT:
            self.send_error(404)
            return
        self.server.idle.put(cpu_seconds(self.server.pid))
        event = self.server.events.get()
        if event is None:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", str(uuid4()))
        self.send_header("Lambda-Runtime-Deadline-Ms", str(round((time.time() + 15) * 1000)))
        arn = "arn:aws:lambda:us-east-1:123456789012:function:benchmark"
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", arn)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(event)))
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self) -> None:
        """Take an answer, or an error of the handler or of its import."""
        after = cpu_seconds(self.server.pid)
        chunked = self.headers.get("Transfer-Encoding") == "chunked"
        body = self._chunks() if chunked else self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.answers.put((body, after, not self.path.endswith("/response")))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    @override
    def log_message(self, *_: object) -> None:
        """Print nothing."""

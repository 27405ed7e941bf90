"""Werkzeug's threaded server, changed to keep connections open and to accept hundreds of clients at once.

Werkzeug closes every connection after one answer, because it does not know how much of a body the application has not
read. Here the body is read completely before the application runs, so connections can stay open, as they do on AWS.
"""

import sys
import time
from io import BytesIO
from typing import Any

from werkzeug.exceptions import BadRequest
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

from local.console import print_request

LARGEST_BODY = 10 * 1024 * 1024
LARGEST_DRAIN = 10 * LARGEST_BODY
CHUNK = 64 * 1024


class Handler(WSGIRequestHandler):
    """Serves the requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    timeout = 75  # seconds without a request, as API Gateway keeps a connection
    wbufsize = -1  # head and body are sent together
    disable_nagle_algorithm = True
    _started = 0.0

    def run_wsgi(self) -> None:
        """Read the body, call the application, and send its answer in one piece."""
        self._started = time.monotonic()
        self.environ = environ = self.make_environ()
        try:
            body = self._body(environ)
        except (BadRequest, OSError, ValueError):
            self.close_connection = True
            self._send("400 Bad Request", [("Content-Type", "application/json")], b'{"message":"Bad Request"}')
            return
        if body is None:  # the client may still be sending the rest
            self.close_connection = True
            answer = b'{"message":"Request Entity Too Large"}'
            self._send("413 Request Entity Too Large", [("Content-Type", "application/json")], answer)
            return
        environ["wsgi.input"] = BytesIO(body)
        environ["wsgi.input_terminated"] = True
        if body:
            environ["CONTENT_LENGTH"] = str(len(body))  # a chunked request does not have this header
        parts, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        self._send(status, list(headers), b"".join(parts))

    def handle_expect_100(self) -> bool:
        """Send `100 Continue` at once, because the client waits for it before it sends the body."""
        proceed = super().handle_expect_100()
        self.wfile.flush()
        return proceed

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401  the names of the base class
        """Log no connection that was closed because it was idle for too long."""
        if not isinstance(args[0] if args else None, TimeoutError):
            super().log_error(format, *args)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002  as the base class
        """Print a line with the time since the head of the request was read."""
        milliseconds = (time.monotonic() - self._started) * 1000
        print_request(self.command or "-", getattr(self, "path", "-"), int(code), milliseconds)

    def _body(self, environ: dict[str, Any]) -> bytes | None:
        """Return the body, or None if it is larger than API Gateway accepts."""
        if environ.get("wsgi.input_terminated"):  # chunked
            source, left = environ["wsgi.input"], LARGEST_DRAIN
        else:
            source, left = self.rfile, int(environ.get("CONTENT_LENGTH") or 0)
            if left < 0:
                raise ValueError(left)
        body = bytearray()
        seen = 0
        while seen < min(left, LARGEST_DRAIN) and (part := source.read(min(CHUNK, left - seen))):
            seen += len(part)
            if seen <= LARGEST_BODY:
                body += part
        return bytes(body) if seen <= LARGEST_BODY else None

    def _send(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection"):
                self.send_header(name, value)
        if code not in ("204", "304"):
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and code not in ("204", "304"):
            self.wfile.write(body)
        self.wfile.flush()


class Server(ThreadedWSGIServer):
    """A thread for each connection."""

    request_queue_size = 1024  # clients that may connect in the same instant
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, app: Any) -> None:  # noqa: ANN401  a WSGI application
        """Listen on the port. Werkzeug ends the program if it is taken."""
        super().__init__(host, port, app, handler=Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  as the base class has it
        """Log no client that disconnected before it got its answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002, ANN401  the name of the base class
        """Log only errors."""
        if type == "error":
            super().log(type, message, *args)

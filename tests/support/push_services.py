"""Browsers' push services as a test needs them: one HTTPS server for all their hosts, and a DNS that leads to it."""

import secrets
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import certifi
import httpcore
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from goatedvips.clients.push_batches import Push
from goatedvips.push_services import HOSTS, encode_base64url
from tests.support.tls import write_certificates

PUBLIC_ADDRESS = "8.8.8.8"
FCM = "https://fcm.googleapis.com/fcm/send/"
MESSAGE = {"web_push": 8030, "notification": {"title": "Gewonnen 🐐", "navigate": "https://goatedvips.example/"}}


class Browser:
    """The keys that a browser makes for a push subscription."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.p256dh, self.auth = encode_base64url(point), secrets.token_urlsafe(16)

    def push(self, endpoint: str = f"{FCM}1", **changes: Any) -> Push:
        """A push message for it."""
        given: dict[str, Any] = {
            "ttl": 3600,
            "topic": "race-7",
            "urgency": "normal",
            "message": MESSAGE,
            "id": 1,
            "attempt": 1,
        }
        return Push(**{"endpoint": endpoint, "p256dh": self.p256dh, "auth": self.auth} | given | changes)


@dataclass(frozen=True)
class Request:
    """What a push service was sent."""

    host: str
    path: str
    headers: dict[str, str]
    """Their names are in lower case."""
    body: bytes


class Handler(BaseHTTPRequestHandler):
    """Answers each request by the services' next step, the last one again and again."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        services: PushServices = self.server.services  # type: ignore[attr-defined]
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers["content-length"]))
        services.requests.append(Request(headers["host"], self.path, headers, body))
        steps = services.steps
        (steps.pop(0) if len(steps) > 1 else steps[0])(self)

    def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class Server(ThreadingHTTPServer):
    """A thread for each connection."""

    request_queue_size = 64  # connections that are opened in the same instant
    daemon_threads = True
    block_on_close = False


type Step = Callable[[Handler], None]


def answer(status: int = 201, body: bytes = b"", **headers: str) -> Step:
    """Answer at once. In the names of headers `_` stands for `-`."""
    return lambda handler: handler.answer(status, {n.replace("_", "-"): v for n, v in headers.items()}, body)


@dataclass
class PushServices:
    """The server, with what it was sent and what it answers."""

    port: int
    url: str
    """Where it takes requests without TLS, as a stand-in."""
    requests: list[Request] = field(default_factory=list)
    steps: list[Step] = field(default_factory=lambda: [answer()])
    addresses: list[list[str]] = field(default_factory=lambda: [[PUBLIC_ADDRESS]])
    """What the next look-ups of hosts answer; the last one again and again."""
    looked_up: list[str] = field(default_factory=list)
    connections: list[tuple[str, int]] = field(default_factory=list)
    """To which addresses and ports connections were made, whatever happened then."""


@contextmanager
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PushServices]:
    """Run the server until the end of the block, and lead the look-ups and connections of this process to it."""
    names = [name for host in HOSTS for name in (host, f"*.{host}")]
    authority, certificate = write_certificates(folder, names=names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    servers = [Server(("127.0.0.1", 0), Handler) for _ in range(2)]
    servers[0].socket = context.wrap_socket(servers[0].socket, server_side=True, do_handshake_on_connect=False)
    services = PushServices(servers[0].server_address[1], f"http://127.0.0.1:{servers[1].server_address[1]}")
    for server in servers:
        server.services = services  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    resolve, connect = socket.getaddrinfo, httpcore.AnyIOBackend.connect_tcp

    def look_up(host: str, port: int, *arguments: Any, **options: Any) -> list[Any]:
        if not host.endswith(HOSTS):
            return resolve(host, port, *arguments, **options)
        services.looked_up.append(host)
        found = services.addresses.pop(0) if len(services.addresses) > 1 else services.addresses[0]
        return [(None, None, 6, "", (address, port)) for address in found]

    async def lead(backend: httpcore.AnyIOBackend, host: str, port: int, *arguments: Any, **options: Any) -> Any:
        services.connections.append((host, port))
        there = ("127.0.0.1", services.port if host == PUBLIC_ADDRESS else port)
        return await connect(backend, *there, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", look_up)
        patched.setattr(httpcore.AnyIOBackend, "connect_tcp", lead)
        patched.setattr(certifi, "where", lambda: str(authority))
        yield services
    for server in servers:
        server.shutdown()
        server.server_close()

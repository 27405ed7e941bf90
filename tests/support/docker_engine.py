"""A stand-in for the Docker Engine: it has an empty store of images, builds one, and refuses to create a container.

It records each request. API: https://docs.docker.com/reference/api/engine/
"""

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

REFUSAL = "this engine creates no container"


@dataclass
class DockerEngine:
    """The requests to the stand-in."""

    gateway: str
    """The IP address of its bridge."""
    host: str = ""
    """Its URL, for DOCKER_HOST."""
    builds: list[dict[str, str]] = field(default_factory=list)
    """The query of each build, and its Dockerfile."""
    layer_files: set[str] = field(default_factory=set)
    """The names of the files in the last build."""
    containers: list[dict[str, Any]] = field(default_factory=list)
    """The specification of each container that was to be created."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hangs up."""


@contextmanager
def docker_engine(gateway: str) -> Iterator[DockerEngine]:
    """Run the stand-in on a free port."""
    engine = DockerEngine(gateway)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"engine": engine}))
    engine.host = f"tcp://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield engine
    server.shutdown()
    server.server_close()
    thread.join()


class _Handler(BaseHTTPRequestHandler):
    engine: DockerEngine
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self._path()
        if path == "/_ping":
            self._answer(200, b"OK")
        elif path == "/version":
            self._answer(200, {"ApiVersion": "1.44", "MinAPIVersion": "1.24", "Version": "25.0.0"})
        elif path == "/info":
            self._answer(200, {"OperatingSystem": "A stand-in"})
        elif path == "/networks/bridge":
            self._answer(200, {"Name": "bridge", "Id": "1", "IPAM": {"Config": [{"Gateway": self.engine.gateway}]}})
        elif path.startswith("/images/") and self.engine.builds:
            self._answer(200, {"Id": "sha256:1", "RepoTags": [path], "Config": {}})
        else:
            self._answer(404, {"message": f"no such object: {path}"})

    def do_POST(self) -> None:
        path, body = self._path(), self._body()
        if path == "/build":
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            with tarfile.open(fileobj=io.BytesIO(body)) as context:
                dockerfile = context.extractfile("Dockerfile")
                self.engine.layer_files = set(context.getnames())
                query["dockerfile"] = dockerfile.read().decode() if dockerfile else ""
            self.engine.builds.append(query)
            self._answer(200, {"stream": "Successfully built"})
        elif path == "/containers/create":
            self.engine.containers.append(json.loads(body))
            self._answer(400, {"message": REFUSAL})
        else:
            self._answer(404, {"message": f"unknown: {path}"})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the base class
        """Say nothing."""

    def _path(self) -> str:
        """The path without the version of the API."""
        path = urlsplit(self.path).path
        return "/" + path.split("/", 2)[2] if path.startswith("/v1.") else path

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, content: bytes | dict[str, Any]) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

"""SnapStart: hooks, as Lambda's runtime client runs them, in processes of their own."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.infrastructure.project import FUNCTIONS, ROOT

AROUND_A_SNAPSHOT = """
import json, sys
from awslambdaric.lambda_runtime_hooks_runner import run_after_restore, run_before_snapshot
from goatedvips import db, light_db
from sqlalchemy import text

def server_process():
    with db.reading() as connection:
        engines = connection.scalar(text("SELECT pg_backend_pid()"))
    light_db.database().open()
    return engines

def is_connected():
    return db.engine().pool.checkedin() > 0, light_db.database()._connection is not None

first = server_process()
assert is_connected() == (True, True)
run_before_snapshot()
assert is_connected() == (False, False)
run_after_restore()
assert is_connected() == (False, False)
second = server_process()
assert is_connected() == (True, True)
print(json.dumps([first, second]))
"""
IMPORTS = """
import os, runpy, sys, traceback
real = {name: getattr(os, name) for name in ("urandom", "getrandom") if hasattr(os, name)}

def watched(name):
    def call(*arguments):
        frames = [frame.filename for frame in traceback.extract_stack()]
        # SQLAlchemy makes keys of unnamed parts of a statement, which are neither unique elsewhere nor secret.
        if frames[-2].endswith("/sqlalchemy/sql/selectable.py"):
            return real[name](*arguments)
        if any(name in file for file in frames for name in ("/goatedvips/", "/functions/")):
            sys.exit(f"random bytes at import: {frames}")
        return real[name](*arguments)
    return call

for name in real:
    setattr(os, name, watched(name))
for file in sys.argv[1:]:
    runpy.run_path(file)
"""
SNAPPED = [f for f in FUNCTIONS if "SnapStart" in f.resource]


def run(program: str, *arguments: str, **variables: str) -> str:
    given = os.environ | {"PYTHONPATH": str(ROOT / "shared"), "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=given | variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[str]]]:
    """The endpoint from which a restored process gets its credentials, and the requests to it."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.headers["Authorization"])
            keys = {"AccessKeyId": "AKIA", "SecretAccessKey": "secret", "Token": "token"}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(keys).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/credentials", requests
        server.shutdown()


@pytest.mark.skipif(sys.platform != "linux", reason="Lambda's runtime client runs only on Linux")
def test_no_connection_is_in_a_snapshot_and_a_restored_process_connects_with_its_own_credentials(
    endpoint: tuple[str, list[str]],
) -> None:
    url, requests = endpoint
    keys = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "of this process"}
    first, second = json.loads(run(AROUND_A_SNAPSHOT, DATABASE_IAM="true", **keys))
    assert first
    assert second
    assert requests == ["of this process"] * 2  # the light edge asks for them only when the server wants a password


def test_without_snapstart_no_hook_is_registered() -> None:
    program = "import sys; from goatedvips import db, light_db; assert 'snapshot_restore_py' not in sys.modules"
    run(program, AWS_LAMBDA_INITIALIZATION_TYPE="on-demand")


def test_no_function_with_a_snapshot_makes_anything_random_while_it_is_imported() -> None:
    assert len(SNAPPED) > 20
    run(IMPORTS, *(str(Path(ROOT, "functions", f.domain, f"{f.name}.py")) for f in SNAPPED))

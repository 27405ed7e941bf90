"""A front end on the client that openapi-typescript generates from the API's document."""

import json
import secrets
import subprocess
from pathlib import Path

import pytest

from tests.support import node
from tests.support.make_run import start
from tools.openapi.__main__ import DOCUMENT

CLIENT = Path(__file__).parent / "client"
# `lib` leaves out nothing that is ours: packages check their own declarations.
COMPILE = ["--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--skipLibCheck"]
COMPILE += ["--target", "es2022", "--module", "nodenext", "--types", "node", "client.ts"]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the compiled client; a type error fails here."""
    folder = node.install(CLIENT, tmp_path_factory.mktemp("client"), ["client.ts"])
    for command in (["openapi-typescript", str(DOCUMENT), "--output", "schema.d.ts"], ["tsc", *COMPILE]):
        program = folder / "node_modules" / ".bin" / command[0]
        done = subprocess.run([program, *command[1:]], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_a_generated_client_reads_what_a_refusal_carries(client: Path, tmp_path: Path) -> None:
    run = start(tmp_path)
    try:
        done = subprocess.run(
            ["node", "client.js", run.base, f"kid-{secrets.token_hex(6)}"],
            cwd=client,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        run.stop()
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["spinId"] == seen["spin"]["id"]
    assert seen["nextSpinAt"] == seen["spin"]["next_spin_at"]
    assert seen["priority"] == "medium"
    assert seen["status"] in {"upcoming", "live", "completed", "cancelled"}
    assert seen["pointer"] == "/email"
    assert seen["member"]["username"].startswith("kid-")

"""Node.js for tests: packages that are installed from a lock file, and the draw of the wheel on its crypto."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest


def install(source: Path, folder: Path, files: Iterable[str] = ()) -> Path:
    """Install the packages of package.json and package-lock.json of a folder in another; skip where that cannot be.

    Programs and a registry that a machine may be without; where CI installs them a skip fails (tests/conftest.py).

    Parameters
    ----------
    files: further files of `source` to copy.
    """
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("Node.js with npm is not installed")
    for name in ("package.json", "package-lock.json", *files):
        shutil.copy(source / name, folder)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    if installed.returncode != 0:
        pytest.skip(f"npm could not install the packages of {source.name}: {installed.stderr.strip()[-300:]}")
    return folder


def draw(draws: Sequence[Mapping[str, object]]) -> list[int]:
    """Return the segments that the independent implementation of the draw on Node's crypto selects.

    Parameters
    ----------
    draws: each has `server_seed` in hex, `client_seed`, `nonce` and `weights`.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    program = Path(__file__).with_name("draw.mjs")
    done = subprocess.run([node, str(program)], input=json.dumps(draws), capture_output=True, text=True, check=True)
    indices: list[int] = json.loads(done.stdout)
    return indices

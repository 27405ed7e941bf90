"""A running `make run`: started, read, stopped."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import sqlalchemy as sa

from database.embedded import free_port

ROOT = Path(__file__).parents[2]
START = """
import pathlib, sys
from database import local
local.FOLDER = pathlib.Path(sys.argv[1])
from local.run import main
main()
"""


@dataclass
class Run:
    """A running platform."""

    process: subprocess.Popen[str]
    printed: str
    seconds: float
    """Until it was ready."""

    @property
    def base(self) -> str:
        """Where the API is."""
        return self.found(r"API +(\S+)")

    @property
    def database(self) -> sa.Engine:
        """Its database, as the owner; each statement commits."""
        url = sa.make_url(self.found(r"Database +(\S+)")).set(drivername="postgresql+pg8000")
        return sa.create_engine(url, isolation_level="AUTOCOMMIT")

    def found(self, pattern: str) -> str:
        """What was printed in this place."""
        match = re.search(pattern, self.printed)
        assert match, self.printed
        return match[1]

    def get(self, path: str, *, host: str) -> httpx.Response:
        """Request a page by another IP address of this machine."""
        return httpx.get(httpx.URL(f"{self.base}{path}", host=host), trust_env=False)

    def stop(self) -> float:
        """Press Ctrl-C; how long it took to end."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)
        return time.monotonic() - started


def start(folder: Path, **variables: str) -> Run:
    """Start it, with variables before `make run`, and read what it prints until it is ready."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", START, str(folder)],
        cwd=ROOT,
        env=os.environ | {"PORT": str(free_port()), "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'shared'}"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if line.startswith("Ctrl-C"):
            threading.Thread(target=process.stdout.read, daemon=True).start()  # a full pipe would stop the server
            return Run(process, printed, time.monotonic() - started)
    if "is taken" in printed:  # another test was quicker to listen on the port that was free
        return start(folder, **variables)
    raise AssertionError(printed)

"""Where the `make run` of this checkout listens, for commands that work beside it."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from database import embedded

FILE = "run.json"


@dataclass(frozen=True)
class Running:
    """The ports of a running platform, all on the loopback interface."""

    api_port: int
    database_port: int
    serves_containers: bool
    """It also listens where containers reach it (`make run DOCKER=true`)."""


@contextmanager
def announce(folder: Path, running: Running) -> Iterator[None]:
    """Write the ports to the folder of the local data for as long as the platform runs."""
    file = folder / FILE
    file.write_text(json.dumps(asdict(running)))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def find(folder: Path) -> Running | None:
    """Return the platform that runs on a folder of local data; None if there is none, or it was killed."""
    try:
        running = Running(**json.loads((folder / FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    server = embedded.serving(folder)
    with socket.socket() as probe:
        answers = probe.connect_ex((embedded.HOST, running.api_port)) == 0
    return running if answers and server and server.port == running.database_port else None

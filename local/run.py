"""`make run`: the whole platform on this machine, until Ctrl-C."""

import os
import signal
import socket
import sys
import threading
from contextlib import ExitStack
from types import FrameType

from local import pool

HOST = "127.0.0.1"
# Where database clients and samconfig.toml find it at every start; another port when this one is taken.
POSTGRES_PORT = 54320


def main() -> None:
    """Start everything, print what to try, and stop everything at Ctrl-C or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        run(chosen_port())
    except KeyboardInterrupt:
        return


def run(port: int) -> None:
    """Start everything in order; what was started is stopped in the opposite order, whatever happens."""
    pool.prepare()  # loads third-party modules while this process loads its own
    from database import embedded, local  # noqa: PLC0415  they load for a second
    from database.upgrade import upgrade  # noqa: PLC0415

    with ExitStack() as stack:
        stack.enter_context(local.usable(local.FOLDER))
        wanted = POSTGRES_PORT if is_free(POSTGRES_PORT) else None
        url = local.create_database(stack.enter_context(embedded.running(local.FOLDER, wanted)))
        upgrade(url)
        serve(url, port, stack)


def serve(url: str, port: int, stack: ExitStack) -> None:
    """Serve the API over its workers and run the schedules, until interrupted."""
    from database.local import FOLDER  # noqa: PLC0415  as above
    from local import demo, docs, mail, template  # noqa: PLC0415
    from local.api import HttpApi  # noqa: PLC0415
    from local.schedules import Schedules  # noqa: PLC0415
    from local.server import Server  # noqa: PLC0415

    base = f"http://{HOST}:{port}"
    log = FOLDER / "functions.log"
    log.write_text("")
    plan = template.load(template.parameters(url, base), base)
    workers = pool.Pool(plan.functions, log)
    stack.callback(workers.stop)
    workers.warm_up()
    api = HttpApi(plan, workers, port)
    mail.serve(api.app, mail.Mailbox())
    docs.serve(api.app)
    hints = demo.load(url, base, FOLDER)
    schedules = Schedules(plan.schedules, workers)
    http = Server(HOST, port, api.app)
    stack.callback(schedules.stop)

    # The server runs in a thread, because its own loop would swallow the interrupt.
    threading.Thread(target=http.serve_forever, daemon=True).start()
    schedules.start()
    print(f"\nThe API is at {base}, its documentation at {base}/docs, caught mail at {base}/mail")  # noqa: T201
    print(f"The database is {url}\nWhat the functions log is in {log}")  # noqa: T201
    for schedule in schedules.left_out:
        print(f"Not run here: {schedule.function} ({schedule.expression})")  # noqa: T201
    print(f"\n{hints}\nCtrl-C stops everything.", flush=True)  # noqa: T201
    threading.Event().wait()


def chosen_port() -> int:
    """Return the port to serve on, PORT or 3000; end with a sentence when it is taken."""
    given = os.environ.get("PORT") or "3000"
    if not given.isdigit() or not 0 < int(given) < 65536:  # noqa: PLR2004
        sys.exit(f"PORT={given} is no port: choose a number from 1 to 65535.")
    port = int(given)
    if not is_free(port):
        sys.exit(
            f"Port {port} is taken, perhaps by a `make run` that is still there: end what uses it, "
            f"or choose another one, as in `make run PORT={port + 1}`."
        )
    return port


def is_free(port: int) -> bool:
    """Whether a server could listen on a port of this machine now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """Take Ctrl-C and SIGTERM alike, once: a second one must not cut the stop short."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    print("\nStopping.", flush=True)  # noqa: T201
    raise KeyboardInterrupt

"""`make run`: the whole platform on this machine, until Ctrl-C."""

import os
import signal
import sys
import threading
from contextlib import ExitStack
from types import FrameType

from local import pool
from local.ports import HOST, chosen_port, is_free

# The port for database clients and samconfig.toml. If it is taken, PostgreSQL gets a free one.
POSTGRES_PORT = 54320


def main() -> None:
    """Start everything, print what to try, and stop everything at Ctrl-C or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        run(chosen_port(), serves_containers=chosen_switch("DOCKER"))
    except KeyboardInterrupt:
        return


def run(port: int, *, serves_containers: bool) -> None:
    """Start everything in order, and stop it in the opposite order, whatever happens."""
    pool.prepare()  # loads third-party modules while this process loads its own
    from database import embedded, local  # noqa: PLC0415  importing takes a second
    from database.upgrade import upgrade  # noqa: PLC0415

    with ExitStack() as stack:
        stack.enter_context(local.usable(local.FOLDER))
        report("Starting PostgreSQL")
        wanted = POSTGRES_PORT if is_free(POSTGRES_PORT) else None
        server = stack.enter_context(embedded.running(local.FOLDER, wanted))
        report("Migrating the database")
        url = local.create_database(server)
        upgrade(url)
        if wanted is None:
            print(f"Port {POSTGRES_PORT}, to which samconfig.toml leads, is taken: PostgreSQL listens on {server.port}")
        serve(url, server.port, port, stack, serves_containers=serves_containers)


def serve(url: str, database_port: int, port: int, stack: ExitStack, *, serves_containers: bool) -> None:
    """Serve the API over its workers and run the schedules, until interrupted."""
    from database.local import FOLDER  # noqa: PLC0415  as above
    from local import demo, running, template  # noqa: PLC0415
    from local.gateway import docs  # noqa: PLC0415
    from local.gateway.api import HttpApi  # noqa: PLC0415
    from local.gateway.server import Server  # noqa: PLC0415
    from local.schedules import Schedules  # noqa: PLC0415
    from local.stand_ins import mail  # noqa: PLC0415

    base = f"http://{HOST}:{port}"
    log = FOLDER / "functions.log"
    log.write_text("")
    report("Reading template.yaml and starting workers")
    plan = template.load(template.build_parameters(url, base), base)
    workers = pool.Pool(plan.functions, log)
    stack.callback(workers.stop)
    workers.warm_up()
    api = HttpApi(plan, workers, port)
    mail.serve(api.app, mail.Mailbox())
    docs.serve(api.app)
    report("Loading demo data")
    hints = demo.load(url, base)
    schedules = Schedules(plan.schedules, workers)
    http = Server(HOST, port, api.app)
    stack.callback(schedules.stop)
    if serves_containers:
        from local.sam import bridge  # noqa: PLC0415  it loads Docker's client

        host_ip = stack.enter_context(bridge.make_reachable((port, database_port)))
        print(f"Containers reach these ports at {template.CONTAINER_HOST} ({host_ip})")

    # The server runs in a thread, because its own loop would swallow the interrupt.
    threading.Thread(target=http.serve_forever, daemon=True).start()
    schedules.start()
    state = running.Running(port, database_port, serves_containers)
    stack.enter_context(running.announce(FOLDER, state))
    places = {
        "API": base,
        "Documentation": f"{base}/docs",
        "Caught mail": f"{base}/mail",
        "Database": url,
        "Functions' log": log,
    }
    print()
    for what, where in places.items():
        print(f"{what:<16}{where}")
    for schedule in schedules.without_rate:
        print(f"Not run here: {schedule.function} ({schedule.expression})")
    print(f"\n{hints}\nCtrl-C stops everything.", flush=True)
    threading.Event().wait()


def report(step: str) -> None:
    """Print what is being done, at once."""
    print(f"{step} …", flush=True)


def chosen_switch(name: str) -> bool:
    """Return the value of a switch that may stand before `make run`; end with a sentence where it is unreadable."""
    value = os.environ.get(name) or "false"
    if value not in {"true", "false"}:
        sys.exit(f"{name} must be true or false, not {value!r}.")
    return value == "true"


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """Handle Ctrl-C and SIGTERM alike, and ignore further ones, which would interrupt the shutdown."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    print("\nStopping.", flush=True)
    raise KeyboardInterrupt

"""`make run`: the whole platform on this machine, until Ctrl-C."""

import os
import signal
import sys
import threading
from contextlib import ExitStack
from types import FrameType

from local import pool
from local.clock import MovableClock, written
from local.ports import HOST, chosen_port, is_free

# The port for database clients and samconfig.toml. If it is taken, PostgreSQL gets a free one.
POSTGRES_PORT = 54320
HIGHEST_SPEED = 3600


def main() -> None:
    """Start everything, print what to try, and stop everything at Ctrl-C or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        run(chosen_port(), chosen_speed(), serves_containers=chosen_switch("DOCKER"))
    except KeyboardInterrupt:
        return


def run(port: int, speed: int, *, serves_containers: bool) -> None:
    """Start everything in order, and stop it in the opposite order, whatever happens.

    Parameters
    ----------
    speed: how many seconds pass on the platform's clock in a real second.

    """
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
        clock = MovableClock(speed, local.FOLDER / local.CLOCK_FILE)
        stack.callback(clock.note)
        serve(url, server.port, port, clock, stack, serves_containers=serves_containers)


def serve(
    url: str, database_port: int, port: int, clock: MovableClock, stack: ExitStack, *, serves_containers: bool
) -> None:
    """Serve the API over its workers and run the schedules, until interrupted."""
    from database.local import BUCKET_FOLDER, FOLDER  # noqa: PLC0415  as above
    from local import demo, demo_feeds, running, template  # noqa: PLC0415
    from local.gateway import docs  # noqa: PLC0415
    from local.gateway.api import HttpApi  # noqa: PLC0415
    from local.gateway.server import Server  # noqa: PLC0415
    from local.schedules import moves  # noqa: PLC0415
    from local.schedules.runner import Schedules  # noqa: PLC0415
    from local.stand_ins import affiliate, mail, outside  # noqa: PLC0415
    from local.stand_ins.event_bridge import EventBridge  # noqa: PLC0415

    base = f"http://{HOST}:{port}"
    log = FOLDER / "functions.log"
    log.write_text("")
    report("Reading template.yaml and starting workers")
    affiliate_api, token = affiliate.start(
        demo.CASINO_ACCOUNTS, clock.now(), os.environ.get("AFFILIATE_TOKEN_HOURS", "")
    )
    values = template.build_parameters(url, base)
    plan = template.load(values, base)
    workers = pool.Pool(plan.functions, log, clock=clock)
    stack.callback(workers.stop)
    workers.warm_up()
    api = HttpApi(plan, workers, port)
    mail.serve(api.app, mail.Mailbox())
    events = EventBridge(plan.rules, workers)
    token = os.environ.get("AFFILIATE_API_TOKEN") or token
    outside.add(api.app, FOLDER / BUCKET_FOLDER, affiliate_api, clock.now, events.send, token)
    stack.callback(events.stop)
    docs.serve(api.app)
    schedules = Schedules(plan.schedules, workers, clock)
    moves.serve(api.app, moves.Moves(clock, schedules, events, url, demo.MONTH_RACE), print_line)
    http = Server(HOST, port, api.app)
    stack.callback(schedules.stop)
    if serves_containers:
        from local.sam import bridge  # noqa: PLC0415  it loads Docker's client

        host_ip = stack.enter_context(bridge.make_reachable((port, database_port)))
        print(f"Containers reach these ports at {template.CONTAINER_HOST} ({host_ip})")

    # The server runs in a thread, because its own loop would swallow the interrupt.
    threading.Thread(target=http.serve_forever, daemon=True).start()
    events.start()
    report("Loading demo data")
    hints = demo.load(url, base, clock.now())
    demo_feeds.request(url, workers, events, clock)
    schedules.start()
    state = running.Running(port, database_port, serves_containers)
    stack.enter_context(running.announce(FOLDER, state))
    places = {
        "API": base,
        "Documentation": f"{base}/docs",
        "Caught mail": f"{base}/mail",
        "Caught pushes": f"{base}/push",
        "Affiliate feed": values["AffiliateApiUrl"],
        "Database": url,
        "Functions' log": log,
    }
    print_places(places | {"Clock": describe(clock)})
    for schedule, reason in schedules.not_run:
        print(f"Not run here: {schedule.function}, {schedule.expression}: {reason}")
    print(f"\n{hints}\nCtrl-C stops everything.", flush=True)
    threading.Event().wait()


def report(step: str) -> None:
    """Print what is being done, at once."""
    print(f"{step} …", flush=True)


def print_places(places: dict[str, object]) -> None:
    """Print where things are, a line each."""
    print()
    for what, where in places.items():
        print(f"{what:<16}{where}")


def print_line(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def describe(clock: MovableClock) -> str:
    """Return what the clock shows, where it differs from the real time."""
    shown = clock.present
    if shown.speed == 1 and shown.origin == shown.started:
        return "the real time; `make clock TO=…` moves it forward"
    text = f"{written(clock.now())}, {shown.speed} times as fast as the real one"
    return text if shown.origin == shown.started else f"{text}; `make db-reset` lets it show the real time again"


def chosen_speed() -> int:
    """Return how fast the clock shall run, SPEED; end with a sentence where it is unreadable."""
    value = os.environ.get("SPEED") or "1"
    if not value.isdecimal() or not 1 <= int(value) <= HIGHEST_SPEED:
        sys.exit(f"SPEED must be a whole number from 1 to {HIGHEST_SPEED}, not {value!r}.")
    return int(value)


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

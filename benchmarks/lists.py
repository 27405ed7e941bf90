"""Whether lists grow with the data: what requests cost at a million rows, divided by what they cost at a thousand.

`make bench WHAT=lists` fills two databases with the crowd of the tests of plans, neighbours and old rows among them,
and sends the same requests to both, in turns. Counted is the CPU of PostgreSQL, in the cheapest turn. The rows read are
those of tables and indexes, as PostgreSQL's own statistics count them. The overview has a limit in milliseconds of CPU
of PostgreSQL. Noise is a second process with the larger database divided by the first.

ROWS=… takes another size, ROUNDS=… another number of turns. The status is 1 if a limit is missed.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.builds import ROOT, Build, build, copy_runtime_client
from benchmarks.report import Line, print_heading, show_all
from benchmarks.runtime import InvocationFailed, Runtime, cpu_seconds
from benchmarks.workload import Workload, prepare, server_processes
from database.embedded import running
from goatedvips.domain.operations import figures
from goatedvips.domain.races import leaderboard
from goatedvips.domain.wagers.leaderboards import leaderboards
from migrations.upgrade import engine
from tests.support.crowds import Crowd, make_crowd
from tests.support.functions import event

FEW_ROWS, ROWS = 1_000, int(os.environ.get("ROWS", "1000000"))
ROUNDS = int(os.environ.get("ROUNDS", "10"))
EVENTS, WARM_UP = 20, 20
# Index entries and rows that were read; an index-only scan reads no row.
READ = text("""
    SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables) + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)
""")


@dataclass(frozen=True)
class Request:
    """A request to both databases.

    Parameters
    ----------
    query: with `{middle}`, the cursor of a page in the middle of the race's leaderboard, or `{middle_of_wagers}`, that
        of the leaderboard of wagers.
    by: `member` or `staff` of the crowd; None: nobody.
    path: with `{race}`, the id of the race that all have joined.
    growth: the limit and the moonshot of its cost divided by that at a thousand rows.
    rows: the limit of the rows that it reads.
    milliseconds: the limit and the moonshot of PostgreSQL's CPU.
    """

    function: str
    query: dict[str, str] = field(default_factory=dict)
    by: str | None = None
    path: str | None = None
    growth: tuple[float, float | None] | None = (5, 2)
    rows: int | None = None
    milliseconds: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """The function with its query."""
        query = "&".join(f"{name}={value}" for name, value in self.query.items())
        return f"{self.function}?{query}" if query else self.function


REQUESTS = (
    Request("get_leaderboard", {"limit": "50"}, path="/v1/races/{race}/leaderboard", growth=(1.5, None), rows=200),
    Request(
        "get_leaderboard",
        {"limit": "50", "cursor": "{middle}"},
        path="/v1/races/{race}/leaderboard",
        growth=(1.5, None),
        rows=300,
    ),
    Request("get_wager_leaderboard", {"limit": "50"}, path="/v1/leaderboards/all_time", growth=(1.5, None), rows=200),
    Request(
        "get_wager_leaderboard",
        {"limit": "50", "cursor": "{middle_of_wagers}"},
        path="/v1/leaderboards/all_time",
        growth=(1.5, None),
        rows=300,
    ),
    Request("get_standing", {"around": "5"}, "member", "/v1/races/{race}/standing", growth=(1.5, None), rows=200),
    Request("list_races"),
    Request("get_race", path="/v1/races/{race}"),
    Request("list_members", {"q": "old-2"}, "staff"),
    Request("list_members", {"tier": "Diamond"}, "staff"),
    Request("get_overview", by="staff", growth=None, rows=10_000, milliseconds=(20, 5)),
)


@dataclass(frozen=True)
class Place:
    """A filled database."""

    workload: Workload
    crowd: Crowd
    rows: int

    def event(self, request: Request) -> dict[str, Any]:
        """Return the event of a request."""
        path = request.path and request.path.format(race=self.crowd.first + 1)
        by = {"member": self.crowd.member, "staff": self.crowd.staff, None: None}[request.by]
        middle = leaderboard.BY_PLACE.cursor_after({"place": self.rows // 2, "id": 0})
        key = {"place": -self.rows // 2 * 10**8, "account_id": 0, "rank": self.rows // 2}
        middles = {"{middle}": middle, "{middle_of_wagers}": leaderboards.BOARDS["all_time"].cursors.cursor_after(key)}
        query = {name: middles.get(value, value) for name, value in request.query.items()}
        return event(request.function, by=by, path=path, query=query)


@dataclass
class Served:
    """A running handler with the CPU seconds of PostgreSQL for one event, in each turn."""

    runtime: Runtime
    server_process: int
    event: dict[str, Any]
    cpu: list[float] = field(default_factory=list)

    def turn(self) -> None:
        """Send the events of one turn."""
        before = cpu_seconds(self.server_process)
        for _ in range(EVENTS):
            send(self.runtime, self.event)
        self.cpu.append((cpu_seconds(self.server_process) - before) / EVENTS)


def main() -> int:
    """Fill the databases, measure, print the lines, and return the process's status."""
    with tempfile.TemporaryDirectory() as name, running(Path(name) / "postgres", durable=False) as postgres:
        this = build("this build", ROOT, Path(name) / "this")
        client = copy_runtime_client(Path(name) / "runtime")
        few, many = (fill(prepare(postgres, this, 1, f"rows_{rows}"), rows) for rows in (FEW_ROWS, ROWS))
        print_heading()
        failed = [show_all(measure(this, client, request, few, many)) for request in REQUESTS]
    return int(any(failed))


def fill(workload: Workload, rows: int) -> Place:
    """Fill a database, and count the figures of the overview as the schedule does."""
    owner = engine(workload.owner_url).execution_options(isolation_level="AUTOCOMMIT")
    place = Place(workload, make_crowd(owner, rows), rows)
    with owner.connect() as connection:
        figures.write(connection, now=datetime.now(UTC))
    return place


def measure(this: Build, client: Path, request: Request, few: Place, many: Place) -> Iterator[Line]:
    """Send a request to both databases in turns, and yield its lines."""
    with ExitStack() as resources:
        small, large, again = (start(this, client, request, place, resources) for place in (few, many, many))
        for _ in range(ROUNDS):
            for each in (small, large, again):
                each.turn()
    low, high, noise = (min(each.cpu) * 1000 for each in (small, large, again))
    detail = f"{high:.2f} and {low:.2f} ms"
    if request.growth is not None:
        yield Line(f"{request.name}, {ROWS:,} ÷ {FEW_ROWS:,} rows", high / low, *request.growth, noise / high, detail)
    if request.milliseconds is not None:
        yield Line(f"{request.name}, ms of PostgreSQL", high, *request.milliseconds, noise / high)
    yield Line(f"{request.name}, rows read", count_rows(this, client, request, many), request.rows)


def start(this: Build, client: Path, request: Request, place: Place, resources: ExitStack) -> Served:
    """Start a handler, and find the process of PostgreSQL that serves its connection."""
    runtime = resources.enter_context(run(this, client, request, place))
    with server_processes(place.workload) as find:
        made = place.event(request)
        for _ in range(WARM_UP):
            send(runtime, made)
        (server_process,) = find()
    return Served(runtime, server_process, made)


def run(this: Build, client: Path, request: Request, place: Place) -> Runtime:
    """Return a handler's process, to be entered as a context."""
    variables = place.workload.variables(this, request.function)
    return Runtime(this.folder(request.function), f"{request.function}.handler", (this.layer, client), variables)


def send(runtime: Runtime, made: dict[str, Any]) -> None:
    """Send an event.

    Raises
    ------
    InvocationFailed: it was refused.
    """
    answer = runtime.invoke(made).answer
    if answer["statusCode"] != 200:  # noqa: PLR2004
        raise InvocationFailed(str(answer))


def count_rows(this: Build, client: Path, request: Request, place: Place) -> float:
    """Return the rows that one request reads.

    PostgreSQL adds a connection's figures to its statistics when the connection ends.
    """
    with engine(place.workload.owner_url).execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        before = connection.scalar(READ)
        with server_processes(place.workload) as find:
            with run(this, client, request, place) as runtime:
                for _ in range(EVENTS):
                    send(runtime, place.event(request))
            while find():
                time.sleep(0.05)
        return float(connection.scalar(READ) - before) / EVENTS


if __name__ == "__main__":
    sys.exit(main())

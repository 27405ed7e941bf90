"""How many requests for a leaderboard a second of CPU serves, compared with Express and drizzle-orm.

`make bench WHAT=leaderboard` loads a race of a million ranked participants, with another race of a million participants
without a rank beside it, and reads the first page of the ranked race, while members join that race. Counted is the CPU
of the serving process and of PostgreSQL's processes for its connections: on a machine without idle cores it decides
how many requests a second are served. Express answers eight requests at a time, which costs it less for each; a
function answers one at a time, as on Lambda. The cheapest turn counts. Noise is a second Express divided by the first.

The member's own account and joining a race are compared too, without a limit. Express looks the session up in each of
these requests; on this platform the authorizer has done so, whose answer API Gateway keeps for a minute.

PARTICIPANTS=… takes another number, ROUNDS=… another number of turns. It needs Node.js with npm. The status is 1 if the
limit is missed.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from threading import Event, Thread

from sqlalchemy import text

from benchmarks.report import Line, print_heading, show_all
from benchmarks.runtime import cpu_seconds
from benchmarks.subjects import Bench, Subject, prepared
from benchmarks.workload import Workload, server_processes
from migrations.upgrade import engine

PARTICIPANTS = int(os.environ.get("PARTICIPANTS", "1000000"))
ROUNDS = int(os.environ.get("ROUNDS", "15"))
CLIENTS, REQUESTS = 8, 25
"""The connections to Express, and the requests of each in one turn."""
JOINS_PER_SECOND = 20
JOINERS = 20_000
ROWS = 10
"""The rows of a page in the sample event of get_leaderboard; Express answers as many."""


@dataclass(frozen=True)
class Route:
    """A route of both applications.

    Parameters
    ----------
    path: Express's, with the race's id as `{race}`.
    must, moonshot: of its requests divided by Express's.
    items: how many an answer must have; none: it is no list.
    """

    function: str
    method: str
    path: str
    must: float | None = None
    moonshot: float | None = None
    items: int | None = None

    def check(self, body: str) -> None:
        """Check that an answer has all items of a page: a page without them would be served faster.

        Raises
        ------
        RuntimeError
        """
        if self.items is not None and len(items := json.loads(body)["items"]) != self.items:
            raise RuntimeError(f"{self.function} answered {len(items)} items, not {self.items}")


ROUTES = (
    Route("get_leaderboard", "GET", f"/v1/races/{{race}}/leaderboard?limit={ROWS}", 0.9, 1.2, ROWS),
    Route("get_me", "GET", "/v1/me"),
    Route("join_race", "POST", "/v1/races/{race}/participants"),
)
FILL = (
    "SET session_replication_role = replica",  # past the triggers, which see to each row and mark it as listed
    """
    DO $$ BEGIN ALTER TABLE wager_race_participants ALTER is_listed SET DEFAULT true;
    EXCEPTION WHEN undefined_column THEN NULL; -- the baseline has no such column
    END $$
    """,
    """
    INSERT INTO users (username, username_key, email, email_key, password)
        SELECT 'p' || n, 'p' || n, 'p' || n || '@example.com', 'p' || n || '@example.com', 'unusable'
        FROM generate_series(1, {participants}) n
    """,
    """
    INSERT INTO wager_race_participants (race_id, user_id, member_key, total_wager, rank)
        SELECT {race}, id, id, 1000000 - rank, rank
        FROM (SELECT id, row_number() OVER (ORDER BY id DESC) AS rank FROM users WHERE password = 'unusable'
            AND username LIKE 'p%') ranked ORDER BY id
    """,
    """
    DO $$ BEGIN UPDATE wager_race_participants SET is_placed = true WHERE race_id = {race};
    INSERT INTO race_board_blocks SELECT {race}, max(rank), min(id), array_agg(id ORDER BY rank)
        FROM wager_race_participants WHERE race_id = {race} GROUP BY (rank - 1) / 100;
    EXCEPTION WHEN undefined_column THEN NULL; -- the baseline has no blocks
    END $$
    """,
    """
    INSERT INTO wager_races (title, type, status, prize_pool, start_date, end_date, min_wager, prize_distribution)
        VALUES ('Neighbour', 'weekly', 'live', 500, now(), '2999-01-01', 0, '{{"1": 60}}')
    """,
    """
    INSERT INTO wager_race_participants (race_id, user_id, member_key, total_wager)
        SELECT (SELECT max(id) FROM wager_races), id, id, 0 FROM users WHERE username LIKE 'p%' ORDER BY id
    """,
    "SET session_replication_role = DEFAULT",
    # What Express reads the ranks by. The platform has no such index any more.
    """
    CREATE INDEX IF NOT EXISTS wager_race_participants_listed_idx ON wager_race_participants (race_id, rank, id)
        WHERE is_listed
    """,
    "VACUUM ANALYZE",
)
JOIN = text("""
    INSERT INTO wager_race_participants (race_id, user_id, member_key, total_wager)
    SELECT :race, :user, :user, 0 ON CONFLICT DO NOTHING
""")


@dataclass
class Served:
    """A server with the CPU seconds that one request took in each turn, PostgreSQL's included.

    Parameters
    ----------
    process: its id.
    server_processes: PostgreSQL's, of its connections.
    serve: carries out one turn, and returns the number of requests.
    """

    process: int
    server_processes: set[int]
    serve: Callable[[], int]
    cpu: list[tuple[float, float]] = field(default_factory=list)

    def turn(self) -> None:
        """Carry out one turn."""
        own, postgres = cpu_seconds(self.process), sum(map(cpu_seconds, self.server_processes))
        requests = self.serve()
        own, postgres = cpu_seconds(self.process) - own, sum(map(cpu_seconds, self.server_processes)) - postgres
        self.cpu.append((own / requests, postgres / requests))

    @property
    def least(self) -> float:
        """The CPU seconds of a request in the cheapest turn."""
        return min(map(sum, self.cpu))

    @property
    def detail(self) -> str:
        """The milliseconds of the server and of PostgreSQL in the cheapest turn."""
        own, postgres = min(self.cpu, key=sum)
        return f"{own * 1000:.2f} + {postgres * 1000:.2f} ms"


def main() -> int:
    """Measure, print a line for each route, and return the process's status."""
    with tempfile.TemporaryDirectory() as name, prepared(Path(name), JOINERS) as bench:
        for workload in bench.workloads:
            fill(workload)
        application = install(bench.folder / "express")
        print_heading()
        failed = [show_all([measure(bench, application, route)]) for route in ROUTES]
    return int(any(failed))


def fill(workload: Workload) -> None:
    """Add both races' participants."""
    with engine(workload.owner_url).connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in FILL:
            autocommit.exec_driver_sql(statement.format(participants=PARTICIPANTS, race=workload.race))


def install(folder: Path) -> Path:
    """Install the Express application in a folder, as its lock file says.

    Raises
    ------
    SystemExit: npm is missing.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("Express cannot be installed: Node.js with npm is missing.")
    shutil.copytree(
        Path(__file__).with_name("peers") / "express", folder, ignore=shutil.ignore_patterns("node_modules")
    )
    command = [npm, "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=folder, check=True)
    return folder


def measure(bench: Bench, application: Path, route: Route) -> Line:
    """Serve a route in turns by this build, by the baseline and by Express, and return the result."""
    baseline = bench.baseline(route.function)
    with ExitStack() as resources:
        ours = resources.enter_context(function(bench.this(route.function), route))
        express, again = (resources.enter_context(node(application, bench.workloads[0], route)) for _ in range(2))
        before = resources.enter_context(function(baseline, route)) if baseline else None
        servers = [server for server in (ours, express, again, before) if server is not None]
        for workload in bench.workloads:
            resources.enter_context(joining(workload))
        for _ in range(ROUNDS):
            for server in servers:
                server.turn()
    detail = f"{ours.detail}; Express {express.detail}"
    if before is not None:
        detail += f"; baseline {before.detail}, ratio {express.least / before.least:.2f}"
    what = f"{route.function}, requests ÷ Express's"
    ratio, noise = express.least / ours.least, again.least / express.least
    return Line(what, ratio, route.must, route.moonshot, noise, detail, at_least=True)


@contextmanager
def function(subject: Subject, route: Route) -> Iterator[Served]:
    """Run a build's handler."""
    with server_processes(subject.workload) as find, subject.start() as runtime:

        def serve() -> int:
            for _ in range(CLIENTS * REQUESTS):
                subject.send(runtime)
            return CLIENTS * REQUESTS

        serve()
        route.check(subject.send(runtime).answer.get("body", ""))
        yield Served(runtime.pid, find(), serve)


@contextmanager
def node(application: Path, workload: Workload, route: Route) -> Iterator[Served]:
    """Run the Express application on a database, with connected clients."""
    environment = os.environ | {"DATABASE_URL": workload.url, "PORT": "0", "NODE_ENV": "production"}
    process = subprocess.Popen(
        ["node", "server.js"], cwd=application, env=environment, stdout=subprocess.PIPE, text=True
    )
    path = route.path.format(race=workload.race)
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        port = int(process.stdout.readline())
        with server_processes(workload) as find, ThreadPoolExecutor(CLIENTS) as pool:
            clients = [HTTPConnection("127.0.0.1", port) for _ in range(CLIENTS)]

            def send(client: HTTPConnection) -> int:
                for _ in range(REQUESTS):
                    client.request(route.method, path, headers={"Authorization": workload.next_bearer()})
                    answer = client.getresponse()
                    body = answer.read()
                    if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
                        raise RuntimeError(f"Express answered {answer.status}: {body.decode()}")
                route.check(body.decode())
                return REQUESTS

            def serve() -> int:
                return sum(pool.map(send, clients))

            serve()
            yield Served(process.pid, find(), serve)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def joining(workload: Workload) -> Iterator[None]:
    """Let one member after the other join the race, the last first, until the block ends."""
    ended = Event()

    def join() -> None:
        with engine(workload.owner_url).connect() as connection:
            autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
            for number in reversed(range(workload.members)):
                if ended.wait(1 / JOINS_PER_SECOND):
                    return
                autocommit.execute(JOIN, {"race": workload.race, "user": workload.first_user + number})

    thread = Thread(target=join)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())

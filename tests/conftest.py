"""Fixtures: the stack for the run, members and callers for a test.

Tests leave their rows behind and make their own: names and addresses are random, so none sees another's.
"""

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy as sa

from tests.support import stack
from tests.support.arena import Arena
from tests.support.campaigns import Campaigns
from tests.support.codes import Codes
from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.races import Races
from tests.support.readings import Readings
from tests.support.tickets import Tickets

TESTS = Path(__file__).parent
SLOW_FOLDERS = {"concurrency", "migrations", "database", "e2e", "simulations"}
SLOW_TIMEOUT = 300  # seconds a test of these folders; pyproject.toml has the others'

# The same examples in each run, no deadline for a loaded machine, and no folder of examples.
hypothesis.settings.load_profile("ci")

_RUN = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the stack once, before xdist's workers; give each worker a database before anything reads settings."""
    if not hasattr(config, "workerinput"):
        resources = config.stash[_RUN] = ExitStack()
        folder = Path(tempfile.mkdtemp(prefix="goatedvips-tests-"))
        resources.callback(shutil.rmtree, folder, ignore_errors=True)
        servers = resources.enter_context(stack.run(folder))
        os.environ.update(TEST_POSTGRES=str(servers.postgres), TEST_POOLER=str(servers.pooler or ""))
    servers = the_stack()
    name = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    stack.copy(servers, name)
    stack.configure(servers, name)
    os.environ["TEST_DATABASE"] = name


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are processors, because many tests wait for programs that they start."""
    return (os.process_cpu_count() or 1) + 1


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started."""
    if _RUN in config.stash:
        config.stash[_RUN].close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of slow folders more time."""
    for item in items:
        if SLOW_FOLDERS & set(item.path.relative_to(TESTS).parts):
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under CI everything is installed, so a skipped test is a failed one."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and CI installs all it needs: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the seed of each simulation, with which `make simulate` repeats it."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name == "seed":
                    terminalreporter.write_line(f"{report.nodeid}: SEED={value}")


def the_stack() -> stack.Stack:
    """The servers of this run."""
    pooler = os.environ["TEST_POOLER"]
    return stack.Stack(int(os.environ["TEST_POSTGRES"]), int(pooler) if pooler else None)


@pytest.fixture(scope="session")
def servers() -> stack.Stack:
    """Where the run's servers listen."""
    return the_stack()


@pytest.fixture(scope="session")
def pooled_servers(servers: stack.Stack) -> stack.Stack:
    """The run's servers, with a pooler among them: a program of the system's, and where CI installs it a skip fails."""
    if servers.pooler is None:
        pytest.skip("PgBouncer is not installed: apt-get install pgbouncer")
    return servers


@pytest.fixture(scope="session")
def database(servers: stack.Stack) -> Iterator[sa.Engine]:
    """The worker's database past the pooler, as its owner: to arrange and to look; each statement commits."""
    url = sa.make_url(servers.direct(os.environ["TEST_DATABASE"])).set(drivername="postgresql+pg8000")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture
def members(database: sa.Engine) -> Members:
    """Makes members and staff, signed in."""
    return Members(database)


@pytest.fixture
def races(database: sa.Engine) -> Races:
    """Makes races and participations."""
    return Races(database)


@pytest.fixture
def readings(database: sa.Engine) -> Readings:
    """Makes feeds and the readings in them; there are none before."""
    made = Readings(database)
    made.remove_all()
    return made


@pytest.fixture
def arena(database: sa.Engine, members: Members, races: Races, readings: Readings) -> Arena:
    """Makes races that end, and looks at their results; there are no races or feeds before."""
    races.remove_all()
    return Arena(database, members, races, readings)


@pytest.fixture
def codes(database: sa.Engine) -> Codes:
    """Makes bonus codes and claims."""
    return Codes(database)


@pytest.fixture
def tickets(database: sa.Engine) -> Tickets:
    """Makes tickets and messages."""
    return Tickets(database)


@pytest.fixture
def campaigns(database: sa.Engine) -> Campaigns:
    """Makes campaigns, subscribers and consenting members; there are no campaigns and subscribers before."""
    made = Campaigns(database)
    made.clear()
    return made


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Functions:
    """Calls handlers in this process, with the events that API Gateway sends."""
    return Functions(monkeypatch)

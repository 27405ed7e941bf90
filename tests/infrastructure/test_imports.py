"""Who may import whom, read from the source."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infrastructure.project import FUNCTIONS, ROOT

SHARED = ROOT / "shared"
PACKAGE = SHARED / "goatedvips"

# What each place may import, beside Python's own modules.
MAY_IMPORT = {
    # Not Powertools: its Response comes from `http`, after `goatedvips` has stopped the garbage collector.
    "functions": (
        "resume_garbage_collection",
        "clock",
        "config",
        "db",
        "domain",
        "events",
        "http",
        "light_db",
        "runs",
        "schedule",
        "validators",
    ),
    "domain": (
        "domain",
        "compiled",
        "connections",
        "cursors",
        "errors",
        "models",
        "time_zones",
        "sqlalchemy",
        "argon2",
    ),
    "models": ("models", "postgres_values", "sqlalchemy"),
    # Query and header parameters are declared in Powertools' words.
    "validators": (
        "validators",
        "push_services",
        "time_zones",
        "idna",
        "pydantic",
        "aws_lambda_powertools.event_handler.openapi.params",
    ),
}
# A check that finds fewer files than these looks in the wrong folder.
FEWEST_FILES = {"functions": 40, "domain": 40, "models": 10, "validators": 12, "": 80}
# Beyond what its place may: what no other file needs.
EXCEPTIONS = {
    "functions/newsletter/queue_campaigns.py": ("alarms",),
    "functions/notifications/record_pushes.py": ("clients", "push_outbox"),
    "functions/notifications/send_notifications.py": ("mail_delivery", "push_outbox"),
    "functions/notifications/send_pushes.py": ("clients", "push_delivery"),  # likewise without a database
    "functions/operations/migrate.py": ("custom_resource", "migrations"),  # they are in a layer of its own
    "functions/races/settle_race.py": ("race_settlement",),
    "functions/races/settle_races.py": ("race_settlement",),
    "functions/wagers/fetch_wagers.py": ("alarms", "clients"),  # it has no database, and so no domain
    "functions/wagers/ingest_wagers.py": ("alarms", "clients"),
    "shared/goatedvips/validators/tables.py": ("models", "sqlalchemy"),  # it derives its schemas from the tables
    "shared/goatedvips/validators/privacy.py": ("sqlalchemy",),  # and this writes rows of whatever table
    "shared/goatedvips/domain/newsletter/markdown.py": (
        "markdown_it",
        "nh3",
    ),  # in a layer of the functions that need it
    "shared/goatedvips/domain/unique_keys.py": ("postgres_errors",),  # it reads which key the server names
    "shared/goatedvips/domain/codes/claims.py": ("postgres_errors",),  # it reads that its statement aborted itself
    "functions/operations/authorize.py": (  # it runs without SQLAlchemy and without HTTP
        *("light_connection", "postgres_wire"),
    ),
}
# The environment is read once, by config.py; rules and queries know nothing of where they run.
DOMAIN_MAY_NOT = {"os", "logging", "socket", "urllib"}
EDGES = {
    "alarms",
    "http.__init__",
    "http.api",
    "http.csv_pages",
    "http.idempotency",
    "http.operation",
    "http.pages",
    "http.problems",
    "http.responses",
    "runs",
}


def imports(file: Path) -> Iterator[str]:
    """Yield the modules that a file imports, wherever in it; `from package import name` as `package.name` too."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            assert node.module
            yield node.module
            if (PACKAGE.parent / Path(*node.module.split("."))).is_dir():
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources(place: str) -> list[Path]:
    """The files of a place, those of its subfolders included."""
    folder = ROOT / "functions" if place == "functions" else PACKAGE / place
    files = sorted(folder.rglob("*.py"))
    assert len(files) >= FEWEST_FILES[place]
    return files


def own(module: str) -> bool:
    """Whether a module is the layer's."""
    return module.partition(".")[0] == "goatedvips"


@pytest.mark.parametrize("place", MAY_IMPORT)
def test_a_place_imports_what_it_may_and_nothing_else(place: str) -> None:
    wrong = []
    for file in sources(place):
        name = str(file.relative_to(ROOT))
        allowed = (*MAY_IMPORT[place], *EXCEPTIONS.get(name, ()))
        for module in imports(file):
            inside = module.removeprefix("goatedvips.")
            is_listed = module in ("goatedvips", *sys.stdlib_module_names) or any(
                inside == other or inside.startswith(f"{other}.") for other in allowed
            )
            if not is_listed and module.partition(".")[0] not in sys.stdlib_module_names:
                wrong.append(f"{name} imports {module}")
    assert not wrong


def test_no_row_is_handed_up_by_position() -> None:
    """`Race(*row)` would be silently wrong if a statement changed the order of its columns."""
    files = [*sources("domain"), *sources("functions")]
    by_position = [
        f"{file.relative_to(ROOT)}:{call.lineno}"
        for file in files
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call)
        if isinstance(name := getattr(call.func, "attr", getattr(call.func, "id", "")), str) and name[:1].isupper()
        if any(isinstance(argument, ast.Starred) for argument in call.args)
    ]
    assert not by_position


def test_only_one_module_makes_time_zones() -> None:
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "functions").rglob("*.py")]
    makers = {file.name for file in files if any(module.startswith("zoneinfo") for module in imports(file))}
    assert makers == {"time_zones.py"}


def test_domain_knows_nothing_of_where_it_runs() -> None:
    wrong = [
        f"{file.name} imports {module}"
        for file in sources("domain")
        for module in imports(file)
        if module.partition(".")[0] in DOMAIN_MAY_NOT
    ]
    assert not wrong


def test_only_the_edges_know_powertools_boto3_and_the_environment() -> None:
    powertools, boto3, environment = set(), set(), set()
    for file in sources(""):
        name = ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
        modules = {module.partition(".")[0] for module in imports(file)}
        powertools |= {name} if "aws_lambda_powertools" in modules else set()
        boto3 |= {name} if "boto3" in modules else set()
        environment |= {name} if "os.environ" in file.read_text() else set()
    assert powertools - {name for name in powertools if name.startswith("validators.")} <= EDGES
    assert boto3 <= {"clients.s3", "clients.secrets", "clients.ses"}
    assert environment <= {
        "config",
        "http.request_line",
        "iam_token",
        "postgres_server",
        "snapshots",
    }  # the last four for what Lambda itself sets: the trace's id, credentials and the region


# Each of these imports only from itself and from those behind it; what runs on Lambda is the last.
ORDER = ("tests", "benchmarks", "tools", "local", "database", "migrations", "shared")
# A check that finds fewer files than these looks in the wrong folder.
FEWEST_OF_ROOMS = {"local": 12, "database": 15, "migrations": 8, "shared": 80}


@pytest.mark.parametrize("room", FEWEST_OF_ROOMS)
def test_a_room_imports_only_from_those_behind_it(room: str) -> None:
    files = [*(ROOT / room).rglob("*.py"), *((ROOT / "functions").rglob("*.py") if room == "shared" else ())]
    assert len(files) >= FEWEST_OF_ROOMS[room]
    before = ORDER[: ORDER.index(room)]
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in files
        for module in imports(file)
        if module.partition(".")[0] in before
    ]
    assert not [line for line in wrong if not line.startswith("functions/operations/migrate.py imports migrations")]


# The packages of the domain, behind the kernel (its modules): each imports only from itself and those before it.
DOMAIN_ORDER = (
    "notifications",
    "rewards",
    "races",
    "wagers",
    "codes",
    "tickets",
    "operations",
    "wheel",
    "newsletter",
    "members",
    "accounts",
    "privacy",
)


def test_the_packages_of_the_domain_have_a_total_order() -> None:
    domain = PACKAGE / "domain"
    assert {folder.name for folder in domain.iterdir() if (folder / "__init__.py").is_file()} == set(DOMAIN_ORDER)
    wrong = []
    for file in sources("domain"):
        package = file.relative_to(domain).parts[0]
        later = DOMAIN_ORDER[DOMAIN_ORDER.index(package) + 1 :] if package in DOMAIN_ORDER else DOMAIN_ORDER
        wrong += [
            f"{file.relative_to(domain)} imports {module}"
            for module in imports(file)
            if module.startswith("goatedvips.domain.") and module.split(".")[2] in later
        ]
    assert not wrong


def test_there_is_no_circle_of_imports() -> None:
    names = {
        ".".join(file.relative_to(SHARED).with_suffix("").parts).removesuffix(".__init__"): file
        for file in PACKAGE.rglob("*.py")
    }
    graph = {name: {module for module in imports(file) if module in names} for name, file in names.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_the_functions_that_render_markdown_have_its_layer_and_no_other_function_imports_it() -> None:
    with_layer = {f.name for f in FUNCTIONS if f.resource.get("Layers") == [{"Ref": "MarkdownLayer"}]}
    files = {f.name: str(ROOT / "functions" / f.domain / f"{f.name}.py") for f in FUNCTIONS if f.domain == "newsletter"}
    program = """
import runpy, sys
for name, file in zip(sys.argv[1::2], sys.argv[2::2]):
    runpy.run_path(file)
    if {"markdown_it", "nh3"} & set(sys.modules):
        print(name)
        for module in [m for m in sys.modules if m.startswith(("goatedvips.domain.newsletter", "markdown_it", "nh3"))]:
            del sys.modules[module]
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *(word for pair in files.items() for word in pair)],
        env={"PYTHONPATH": str(SHARED), "DATABASE_URL": "postgresql://api@127.0.0.1:1/nowhere"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == with_layer == {"create_campaign", "update_campaign"}


def test_no_request_waits_for_boto3_or_an_http_client() -> None:
    """Powertools itself imports the bare `botocore`."""
    others = {"send_notifications", "send_pushes", "fetch_wagers", "migrate"}
    files = [str(ROOT / "functions" / f.domain / f"{f.name}.py") for f in FUNCTIONS if f.name not in others]
    program = """
import runpy, sys
for file in sys.argv[1:]:
    runpy.run_path(file)
    unwanted = {"boto3", "httpcore", "cryptography", "botocore.client", "aws_xray_sdk", "sqlalchemy.orm", "alembic"}
    if heavy := unwanted & set(sys.modules):
        sys.exit(f"{file} imports {heavy}")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *files],
        env={"PYTHONPATH": str(SHARED), "DATABASE_URL": "postgresql://api@127.0.0.1:1/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_what_runs_outside_the_vpc_has_no_database() -> None:
    files = {f.name: str(ROOT / "functions" / f.domain / f"{f.name}.py") for f in FUNCTIONS if not f.is_in_network}
    assert files.keys() >= {"fetch_wagers", "send_pushes"}
    program = """
import runpy, sys
for file in sys.argv[1:]:
    runpy.run_path(file)
print({"sqlalchemy", "pg8000", "goatedvips.db", "goatedvips.light_db"} & set(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *files.values()],
        env={"PYTHONPATH": str(SHARED)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"

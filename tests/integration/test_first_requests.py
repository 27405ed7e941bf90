"""The first request of a process compiles no statement and imports nothing, and an import opens no connection."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.infrastructure.project import COMPILED
from tests.support.codes import Codes
from tests.support.functions import ROOT, event
from tests.support.members import Members
from tests.support.races import Races

FAR = datetime(2099, 1, 1, tzinfo=UTC)
PROGRAM = """
import json, runpy, sys
from types import SimpleNamespace
file, event = sys.argv[1:]
handler = runpy.run_path(file)["handler"]
from goatedvips.db import engine
connections = engine().pool.checkedin() + engine().pool.checkedout()
compiled = len(engine()._compiled_cache)
answer = handler(json.loads(event), SimpleNamespace(function_name="First"))
print(json.dumps([answer["statusCode"], connections, compiled, len(engine()._compiled_cache)]))
"""
LIGHT_PROGRAM = """
import json, runpy, sys
from types import SimpleNamespace
file, event = sys.argv[1:]
handler = runpy.run_path(file)["handler"]
from goatedvips.light_db import database
connections = int(database()._connection is not None)
imported = set(sys.modules)
answer = handler(json.loads(event), SimpleNamespace(function_name="First"))
print(json.dumps([answer["statusCode"], connections, sorted(set(sys.modules) - imported)]))
"""


def first_request(program: str, name: str, **changes: Any) -> list[Any]:
    """Send a process its first request, and return what the program printed."""
    (file,) = (ROOT / "functions").glob(f"*/{name}.py")
    done = subprocess.run(
        [sys.executable, "-c", program, str(file), json.dumps(event(name, **changes))],
        env=os.environ | {"PYTHONPATH": str(ROOT / "shared")},
        capture_output=True,
        text=True,
        check=True,
    )
    values: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return values


type Arrange = Callable[[Members, Races, Codes], dict[str, Any]]
REQUESTS: dict[tuple[str, int], Arrange] = {
    ("get_me", 200): lambda members, _, __: {"by": members.new()},
    ("get_my_wheel", 200): lambda members, _, __: {"by": members.new()},
    ("list_races", 200): lambda _, __, ___: {},
    ("get_race", 200): lambda _, races, __: {"path": f"/v1/races/{races.new()}"},
    ("get_leaderboard", 200): lambda _, races, __: {"path": f"/v1/races/{races.new()}/leaderboard"},
    ("get_wager_leaderboard", 200): lambda _, __, ___: {"path": "/v1/leaderboards/week"},
    ("join_race", 201): lambda members, races, _: {
        "by": members.new(),
        "path": f"/v1/races/{races.new(end_date=FAR)}/participants",
    },
    ("claim_code", 201): lambda members, _, codes: {"by": members.new(), "body": {"code": codes.new().code}},
    ("leave_race", 404): lambda members, races, _: {
        "by": members.new(),
        "path": f"/v1/races/{races.new()}/participants/me",
    },
    ("spin_wheel", 201): lambda members, _, __: {"by": members.new()},
}


@pytest.mark.parametrize(("name", "status"), [key for key in REQUESTS if key[0] not in COMPILED])
def test_the_first_request_compiles_nothing_and_the_import_connects_to_nothing(
    members: Members, races: Races, codes: Codes, name: str, status: int
) -> None:
    changes = REQUESTS[name, status](members, races, codes)
    answered, connections, imported, requested = first_request(PROGRAM, name, **changes)
    assert (answered, connections) == (status, 0)
    assert 0 < imported == requested


@pytest.mark.parametrize(("name", "status"), [key for key in REQUESTS if key[0] in COMPILED])
@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "k"}], ids=["", "keyed"])
def test_the_first_request_imports_nothing_if_its_statements_are_compiled_beforehand(
    members: Members, races: Races, codes: Codes, name: str, status: int, headers: dict[str, str]
) -> None:
    changes = REQUESTS[name, status](members, races, codes)
    answered, connections, imported = first_request(LIGHT_PROGRAM, name, **changes, headers=headers)
    assert (answered, connections, imported) == (status, 0, [])


def test_every_handler_with_compiled_statements_has_its_request() -> None:
    assert {name for name, _ in REQUESTS} >= set(COMPILED)

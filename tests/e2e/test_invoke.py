"""Every function, with its sample event, on Lambda's own runtime client."""

import json
import os
import sys
from pathlib import Path

import pytest

from database.embedded import free_port
from goatedvips.domain.operations import retention
from local import demo, template
from local.invoke import invoke
from tests.support import stack

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "functions").glob("*/*.py"))
# What the sample event of a function with a route is answered with, where that is not 200.
STATUS = {
    "change_email": 401,  # the sample's password is nobody's
    "change_password": 401,
    "erase_me": 401,
    "claim_code": 201,
    "confirm_subscription": 404,  # the sample's token was never mailed
    "create_race": 201,
    "decide_link": 404,  # nobody has asked
    "end_exclusion": 204,
    "exclude_me": 201,
    "get_ticket": 404,  # nobody has opened one
    "issue_codes": 201,
    "join_race": 201,
    "link_account": 202,
    "log_in": 401,
    "log_out": 204,
    "open_ticket": 201,
    "register": 201,
    "request_password_reset": 202,
    "request_verification": 202,
    "reset_password": 404,
    "spin_wheel": 201,
    "subscribe": 202,
    "verify_email": 404,
}


@pytest.fixture(scope="module")
def url(servers: stack.Stack) -> str:
    """A database of its own."""
    name = f"invoked_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    stack.copy(servers, name)
    return servers.direct(name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo's passwords are kept."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture
def plan(url: str, folder: Path) -> template.Template:
    """The template, on the demo data as at each start, whatever the samples before have done to their callers."""
    base = f"http://127.0.0.1:{free_port()}"
    demo.load(url, base, folder)
    return template.load(template.parameters(url, base), base)


@pytest.mark.skipif(sys.platform != "linux", reason="the runtime interface emulator runs on Linux alone")
@pytest.mark.parametrize("name", [name for name in NAMES if name != "send_notifications"])
def test_a_function_answers_its_sample_event(name: str, plan: template.Template) -> None:
    event = json.loads((ROOT / "events" / f"{name}.json").read_text())
    answer = invoke(plan.function(name), event)
    match name:
        case "authorize":
            assert answer == {"isAuthorized": True, "context": {}}
        case "advance_races":
            assert answer.keys() == {"started", "completed", "created"}
        case "purge_expired":
            assert answer.keys() == set(retention.KINDS)
        case "grant_staff":
            assert answer.keys() == {"user_id", "username", "granted"}
        case _:
            assert answer["statusCode"] == STATUS.get(name, 200), answer


@pytest.mark.skipif(sys.platform != "linux", reason="the runtime interface emulator runs on Linux alone")
def test_the_long_one_too(plan: template.Template) -> None:
    function = plan.function("send_notifications")
    shorter = type(function)(**{**vars(function), "timeout": 12})  # it stops 10 s before its end
    event = json.loads((ROOT / "events" / "send_notifications.json").read_text())
    assert invoke(shorter, event).keys() == {"sent", "dropped", "retried", "given_up"}

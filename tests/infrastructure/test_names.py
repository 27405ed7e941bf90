"""One name, four places: functions/, template.yaml, events/ and tests/integration/."""

import re

import pytest

from tests.infrastructure.project import FUNCTIONS, ROOT, Function, of_type, template
from tests.support.functions import load

each_function = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
LONGEST_HANDLER = 40  # lines


def test_the_template_has_exactly_the_functions_that_there_are() -> None:
    assert set(of_type(template(), "AWS::Serverless::Function")) == {function.id for function in FUNCTIONS}


@each_function
def test_the_template_names_the_function_s_file(function: Function) -> None:
    assert function.resource["CodeUri"] == f"functions/{function.domain}/"
    assert function.resource["Handler"] == f"{function.name}.handler"
    assert template()[function.id]["Metadata"] == {"BuildMethod": "makefile", "ContextPath": "functions"}


def test_every_function_has_its_sample_event_and_no_other_is_there() -> None:
    assert {file.stem for file in (ROOT / "events").iterdir()} == {function.name for function in FUNCTIONS}


def test_every_function_has_its_integration_test() -> None:
    wanted = {f"tests/integration/{function.domain}/test_{function.name}.py" for function in FUNCTIONS}
    assert wanted <= {str(file.relative_to(ROOT)) for file in (ROOT / "tests/integration").glob("*/test_*.py")}


DOMAINS = {folder.name for folder in (ROOT / "shared/goatedvips/domain").iterdir() if (folder / "__init__.py").exists()}
BANNER = re.compile(r"^  # ── (\w+) ─+$", re.MULTILINE)
# Where a file or folder is named after a domain, and what else may stand there.
NAMED_AFTER_DOMAINS = {
    "functions": set(),
    "shared/goatedvips/validators": {"fields", "pagination", "tables"},
    "shared/goatedvips/models": {"schema", "every", "relations"},
    "tests/integration": {"conftest"},
}


def names_in(place: str) -> set[str]:
    """The names of a place's modules and packages; a test's without its prefix where it stands for the whole API."""
    entries = (ROOT / place).iterdir()
    return {
        entry.stem
        for entry in entries
        if not entry.name.startswith(("_", "test_")) and (entry.is_dir() or entry.suffix == ".py")
    }


@pytest.mark.parametrize("place", NAMED_AFTER_DOMAINS)
def test_a_domain_has_one_name_everywhere(place: str) -> None:
    found = names_in(place)
    assert len(found) >= 8
    assert found - NAMED_AFTER_DOMAINS[place] <= DOMAINS


def test_each_folder_of_functions_has_its_banner_in_the_template() -> None:
    banners = BANNER.findall((ROOT / "template.yaml").read_text())
    assert sorted(name.lower() for name in banners) == sorted(names_in("functions"))


def test_each_folder_of_functions_has_validators_where_a_route_has_fields() -> None:
    with_fields = {
        function.domain
        for function in FUNCTIONS
        if "goatedvips.validators." in (ROOT / "functions" / function.domain / f"{function.name}.py").read_text()
    }
    assert with_fields <= names_in("shared/goatedvips/validators")


@each_function
def test_decorators_and_template_have_the_same_routes(function: Function) -> None:
    assert function.handler_routes == function.template_routes


@each_function
def test_a_sample_event_is_one_that_the_template_would_bring_about(function: Function) -> None:
    if function.name == "authorize":
        assert function.sample["type"] == "REQUEST"
    elif function.events("ScheduleV2"):
        assert set(function.sample) == {"scheduled_time"}
    elif not function.template_routes:  # invoked by hand
        assert function.sample
        assert "requestContext" not in function.sample
    else:
        context = function.sample["requestContext"]
        route = function.sample["routeKey"]
        assert route in function.template_routes
        assert route == context["routeKey"]
        assert ("authorizer" in context) == (function.who != "anyone")
        if function.who != "anyone":
            assert context["authorizer"]["lambda"]["is_staff"] == (function.who == "staff")


@each_function
def test_a_handler_fits_on_a_screen(function: Function) -> None:
    lines = (ROOT / "functions" / function.domain / f"{function.name}.py").read_text().splitlines()
    assert len(lines) <= LONGEST_HANDLER


@each_function
def test_the_function_behind_a_route_has_the_file_s_name(function: Function) -> None:
    if len(function.handler_routes) == 1:
        assert callable(getattr(load(function.name), function.name, None))

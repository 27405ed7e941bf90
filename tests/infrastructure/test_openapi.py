"""The API's OpenAPI document says what the handlers do."""

import ast
import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel

from goatedvips import errors
from goatedvips.domain.wheel import spins
from goatedvips.errors import Problem
from goatedvips.validators.fields import RequestBody
from tests.infrastructure.project import FUNCTIONS, ROOT, Function
from tests.support.functions import load
from tools.openapi import __main__ as command
from tools.openapi import document as openapi
from tools.openapi import problems as openapi_problems
from tools.openapi.problems import with_problem_table

type Json = dict[str, Any]

# For people, not for programs.
PAGES = {"/verify", "/reset", "/newsletter/confirm", "/problems/{code}"}


@pytest.fixture(scope="module")
def document() -> Json:
    return openapi.document()


def operations(document: Json) -> Json:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def listed(operation: Json) -> dict[str, list[str]]:
    """Return the codes that an operation lists, by status."""
    return {
        status: re.findall(r"`(\w+)`", answer["description"])
        for status, answer in operation["responses"].items()
        if status > "399"
    }


def test_the_file_is_what_the_handlers_say(document: Json) -> None:
    assert json.loads(command.DOCUMENT.read_text()) == document, "`make openapi` writes it"


def test_the_page_of_problems_is_what_the_docstrings_say() -> None:
    page = command.PROBLEMS.read_text()
    assert with_problem_table(page) == page, "`make openapi` writes it"
    assert re.findall(r"^\| `(\w+)` ", page, re.MULTILINE).count("already_spun") == 1


def test_it_is_valid(document: Json) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_it_is_the_same_each_time(document: Json) -> None:
    assert json.dumps(openapi.document()) == json.dumps(document)


def test_every_route_is_in_it_by_the_name_of_its_function(document: Json) -> None:
    routes = {
        route: function
        for function in FUNCTIONS
        for route in function.template_routes
        if route.partition(" ")[2] not in PAGES
    }
    assert set(operations(document)) == set(routes)
    for route, operation in operations(document).items():
        assert operation["operationId"] == routes[route].name
        assert operation["tags"] == [routes[route].domain]
        assert operation["summary"]
    assert {tag["name"] for tag in document["tags"]} == {function.domain for function in routes.values()}


def test_who_must_be_signed_in_and_may_send_a_key_is_marked(document: Json) -> None:
    functions: dict[str, Function] = {function.name: function for function in FUNCTIONS}
    key = {"$ref": "#/components/parameters/IdempotencyKey"}
    for route, operation in operations(document).items():
        signed_in = functions[operation["operationId"]].who != "anyone"
        assert ("security" in operation) == signed_in, route
        keyed = load(operation["operationId"]).api.keyed and route.startswith("POST ")
        assert (key in operation.get("parameters", [])) == keyed, route


def test_a_body_with_a_password_has_no_key_and_every_other_has(document: Json) -> None:
    """A key's record would roll the counted attempt back, and keep a fast hash of the password."""
    for route, operation in operations(document).items():
        media = operation.get("requestBody", {"content": {"application/json": {"schema": {}}}})["content"]
        name = media["application/json"]["schema"].get("$ref", "").rpartition("/")[2]
        fields = document["components"]["schemas"].get(name, {}).get("properties", {})
        if "security" in operation and route.startswith("POST "):
            with_password = any("password" in field for field in fields)
            assert load(operation["operationId"]).api.keyed != with_password, route


def test_an_answer_without_content_has_none(document: Json) -> None:
    answers = [one["responses"]["204"] for one in operations(document).values() if "204" in one["responses"]]
    assert answers
    assert not any("content" in answer for answer in answers)


def test_every_refusal_is_a_problem_document(document: Json) -> None:
    for route, operation in operations(document).items():
        refusals = {status: answer for status, answer in operation["responses"].items() if status > "399"}
        assert "default" in refusals, route
        for status, answer in refusals.items():
            guarded = status == "401" and "security" in operation  # API Gateway may have answered
            assert answer["$ref"] == f"#/components/responses/{'Unauthenticated' if guarded else 'Problem'}", route
    assert "HTTPValidationError" not in json.dumps(document)


@pytest.mark.parametrize(
    ("route", "status", "codes"),
    [
        ("POST /v1/wheel/spins", "409", ["already_spun", "idempotency_in_progress"]),
        ("POST /v1/wheel/spins", "403", ["account_suspended", "email_unverified", "self_excluded"]),
        ("POST /v1/wheel/spins", "422", ["idempotency_key_reused", "validation_failed"]),
        ("POST /v1/accounts", "409", ["email_taken", "username_taken"]),
        ("POST /v1/accounts", "429", ["too_many_attempts"]),
        ("POST /v1/sessions", "401", ["invalid_credentials"]),
        ("POST /v1/admin/codes", "403", ["account_suspended", "forbidden"]),
        ("POST /v1/admin/codes", "409", ["code_taken", "idempotency_in_progress"]),
        ("POST /v1/codes/claim", "404", ["code_not_claimable"]),
        ("POST /v1/races/{id}/participants", "409", ["idempotency_in_progress", "race_closed"]),
        ("POST /v1/races/{id}/participants", "415", ["unsupported_media_type"]),
        ("GET /v1/races/{id}", "422", []),
        ("GET /v1/races/{id}/leaderboard", "404", ["not_found"]),
        ("GET /v1/health", "503", ["database_unavailable", "schema_outdated"]),
        ("GET /v1/openapi.json", "503", []),
    ],
)
def test_a_route_s_problems_are_listed(document: Json, route: str, status: str, codes: list[str]) -> None:
    assert listed(operations(document)[route]).get(status, []) == codes


def test_every_problem_is_listed_by_its_status_and_some_route_has_it(document: Json) -> None:
    kinds = errors.problem_by_code()
    found = set()
    for route, operation in operations(document).items():
        for status, codes in listed(operation).items():
            found |= set(codes)
            assert status == "default" or {str(kinds[code].status) for code in codes} == {status}, route
    assert found == kinds.keys() - {"conflict"}, "a conflict may come of any statement: it is what `default` is for"


def test_a_docstring_of_the_domain_names_every_problem_that_the_function_raises() -> None:
    files = sorted((ROOT / "shared/goatedvips/domain").rglob("[!_]*.py"))
    assert len(files) >= 40
    for file in files:
        module = importlib.import_module(".".join(file.relative_to(ROOT / "shared").with_suffix("").parts))
        for function in ast.parse(file.read_text()).body:
            if isinstance(function, ast.FunctionDef):
                raised = {
                    name.id
                    for statement in ast.walk(function)
                    if isinstance(statement, ast.Raise) and statement.exc
                    for name in ast.walk(statement.exc)
                    if isinstance(name, ast.Name) and isinstance(kind := getattr(errors, name.id, None), type)
                    if issubclass(kind, Problem)
                }
                if raised:
                    named = openapi_problems.problems_named(getattr(module, function.name))
                    assert raised <= {kind.__name__ for kind in named}, f"{file.stem}.{function.name}"


def test_what_is_no_problem_under_raises_fails_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "Spin.\n\nRaises\n------\nAlreadySpun, NotFound: or both,\n    at once: Whatever\nForbidden\n\nNobody"
    monkeypatch.setattr(spins.spin, "__doc__", said)
    assert openapi_problems.problems_named(spins.spin) == {errors.AlreadySpun, errors.NotFound, errors.Forbidden}
    monkeypatch.setattr(spins.spin, "__doc__", said.replace("NotFound", "LookupError"))
    with pytest.raises(SystemExit, match=r"goatedvips\.domain\.wheel\.spins\.spin: 'LookupError'"):
        openapi.document()


def test_every_model_field_and_parameter_is_described(document: Json) -> None:
    for name, model in document["components"]["schemas"].items():
        assert model["description"], name
        for field, schema in model.get("properties", {}).items():
            assert schema.get("description"), f"{name}.{field}"
    for route, operation in operations(document).items():
        for parameter in operation.get("parameters", []):
            assert "$ref" in parameter or parameter["description"], f"{route} {parameter['name']}"


def test_no_words_are_lost_on_the_way(document: Json) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["TicketWithMessages"]["properties"]["user_id"]["description"] == "Its owner."  # inherited
    generic = schemas["RacePage"]["properties"]["next_cursor"]
    assert generic["description"].startswith("The `cursor` of the next page")
    assert schemas["Health"]["properties"]["schema"]["description"]  # by its alias
    assert '"1", "2"' in schemas["RaceRequest"]["properties"]["prize_distribution"]["description"]


def test_what_a_handler_s_docstring_says_to_its_maintainers_is_not_in_it(document: Json) -> None:
    assert not any("description" in operation for operation in operations(document).values())


def test_every_body_has_an_example_that_fits(document: Json) -> None:
    for route, operation in operations(document).items():
        if "requestBody" in operation:
            media = operation["requestBody"]["content"]["application/json"]
            schema = media["schema"] | {"components": document["components"]}
            OAS31Validator(schema).validate(media["example"])
            assert not OAS31Validator(schema).is_valid(media["example"] | {"unknown": 1}), route
        for parameter in operation.get("parameters", []):
            assert parameter.get("in") != "path" or parameter["example"], route


def test_a_body_may_be_left_out_where_all_its_fields_may(document: Json) -> None:
    bodies = {route: one["requestBody"] for route, one in operations(document).items() if "requestBody" in one}
    assert {route for route, body in bodies.items() if not body["required"]} == {"PATCH /v1/me", "POST /v1/wheel/spins"}


def test_every_model_is_used_and_no_name_is_a_module_s_own(document: Json) -> None:
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text
        assert not name.startswith("_")


def test_no_two_models_have_one_name() -> None:
    def below(model: type[BaseModel]) -> list[type[BaseModel]]:
        return [one for kind in model.__subclasses__() for one in (kind, *below(kind))]

    names = [model.__name__ for model in below(RequestBody)]
    assert len(names) == len(set(names))
    with pytest.raises(SystemExit, match="different model 'Twice'"):
        openapi.agree_on_models({"Twice": {}}, {"components": {"schemas": {"Twice": {"type": "object"}}}}, Path("x.py"))


def test_a_handler_that_cannot_be_imported_fails_the_document(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import no_such_module")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        openapi.imported(broken)


def test_a_drift_is_noticed(
    document: Json, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written, page = tmp_path / "openapi.json", tmp_path / "problems.md"
    page.write_text(command.PROBLEMS.read_text())
    monkeypatch.setattr(command, "DOCUMENT", written)
    monkeypatch.setattr(command, "PROBLEMS", page)
    monkeypatch.setattr(command, "document", lambda: document)
    assert command.main(["--check"]) == 1
    assert "make openapi" in capsys.readouterr().err
    assert command.main([]) == 0
    for file in (written, page):
        assert command.main(["--check"]) == 0
        file.write_text(file.read_text().replace("already_spun", "spun_already"))
        assert command.main(["--check"]) == 1
        assert file.name in capsys.readouterr().err
        assert command.main([]) == 0

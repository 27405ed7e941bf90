"""The API's OpenAPI document says what the handlers do."""

import json
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel

from goatedvips.validators.fields import RequestBody
from local import openapi
from tests.infrastructure.project import FUNCTIONS, Function

type Json = dict[str, Any]

PAGES = {"GET /verify", "GET /newsletter/confirm"}  # for people, not for programs


@pytest.fixture(scope="module")
def document() -> Json:
    return openapi.document()


def operations(document: Json) -> Json:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_the_file_is_what_the_handlers_say(document: Json) -> None:
    assert json.loads(openapi.FILE.read_text()) == document, "`make openapi` writes it"


def test_it_is_valid(document: Json) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_it_is_the_same_each_time(document: Json) -> None:
    assert json.dumps(openapi.document()) == json.dumps(document)


def test_every_route_is_in_it_by_the_name_of_its_function(document: Json) -> None:
    routes = {route: function for function in FUNCTIONS for route in function.template_routes - PAGES}
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
        assert (key in operation.get("parameters", [])) == (signed_in and route.startswith("POST ")), route


def test_every_refusal_is_a_problem_document(document: Json) -> None:
    for route, operation in operations(document).items():
        refusals = {status: answer for status, answer in operation["responses"].items() if status > "399"}
        assert "default" in refusals, route
        assert {answer["$ref"] for answer in refusals.values()} == {"#/components/responses/Problem"}
    assert "HTTPValidationError" not in json.dumps(document)


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
    monkeypatch.setattr(openapi, "FILE", tmp_path / "openapi.json")
    monkeypatch.setattr(openapi, "document", lambda: document)
    assert openapi.main(["--check"]) == 1
    assert "make openapi" in capsys.readouterr().err
    assert openapi.main([]) == 0
    assert openapi.main(["--check"]) == 0
    openapi.FILE.write_text(openapi.FILE.read_text() + " ")
    assert openapi.main(["--check"]) == 1

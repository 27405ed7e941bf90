"""The OpenAPI document matches the handlers."""

import inspect
import json
from pathlib import Path
from typing import Any, get_args

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel

from goatedvips.domain.rewards.ledger import Source, State
from goatedvips.validators.fields import RequestBody
from tests.infrastructure.described import operations, resolved
from tests.infrastructure.project import FUNCTIONS, Function
from tests.support.functions import load
from tools.openapi import __main__ as command
from tools.openapi import document as openapi

type Json = dict[str, Any]

# HTML pages, which the document leaves out.
PAGES = {"/verify", "/reset", "/newsletter/confirm", "/v1/newsletter/unsubscribe", "/problems/{code}"}


def test_the_file_is_up_to_date(document: Json) -> None:
    assert json.loads(command.DOCUMENT.read_text()) == document, "`make openapi` writes it"


def test_it_is_valid(document: Json) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_it_is_deterministic(document: Json) -> None:
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
        function = routes[route]
        assert operation["tags"] == [f"admin-{function.domain}" if function.who == "staff" else function.domain]
        assert operation["summary"]
        words = " ".join((getattr(load(function.name), function.name).__doc__ or "").split())
        assert words.endswith(".")
        assert operation["description"].startswith(words)
    assert {tag["name"] for tag in document["tags"]} == {
        tag for operation in operations(document).values() for tag in operation["tags"]
    }


def test_sessions_and_idempotency_keys_are_declared(document: Json) -> None:
    functions: dict[str, Function] = {function.name: function for function in FUNCTIONS}
    parameters = "#/components/parameters/"
    for route, operation in operations(document).items():
        signed_in = functions[operation["operationId"]].who != "anyone"
        assert operation["security"] == ([{"session": []}] if signed_in else []), route
        api = load(operation["operationId"]).api
        name = "RequiredIdempotencyKey" if api.key_required else "IdempotencyKey"
        keyed = [{"$ref": f"{parameters}{name}"}] if api.keyed and route.startswith("POST ") else []
        assert [one for one in operation.get("parameters", []) if "IdempotencyKey" in one.get("$ref", "")] == keyed, (
            route
        )


def test_a_signed_in_post_takes_a_key_unless_its_body_has_a_password(document: Json) -> None:
    """The transaction of the key would roll the counted attempt back, and its record has a fast hash of the body."""
    for route, operation in operations(document).items():
        media = operation.get("requestBody", {"content": {"application/json": {"schema": {}}}})["content"]
        name = media["application/json"]["schema"].get("$ref", "").rpartition("/")[2]
        fields = document["components"]["schemas"].get(name, {}).get("properties", {})
        if operation["security"] and route.startswith("POST "):
            with_password = any("password" in field for field in fields)
            assert load(operation["operationId"]).api.keyed != with_password, route


def test_an_answer_without_content_has_none(document: Json) -> None:
    answers = [one["responses"]["204"] for one in operations(document).values() if "204" in one["responses"]]
    assert answers
    assert not any("content" in answer for answer in answers)


def test_every_model_field_and_parameter_is_described(document: Json) -> None:
    for name, model in document["components"]["schemas"].items():
        assert model["description"], name
        for field, schema in model.get("properties", {}).items():
            assert schema.get("description"), f"{name}.{field}"
    for route, operation in operations(document).items():
        for parameter in operation.get("parameters", []):
            assert "$ref" in parameter or parameter["description"], f"{route} {parameter['name']}"


def test_descriptions_of_inherited_generic_and_renamed_fields_are_found(document: Json) -> None:
    schemas = document["components"]["schemas"]
    assert (
        schemas["TicketWithMessages"]["properties"]["user_id"]["description"]
        == "The id of the member who opened the ticket. It is null if that is unknown, as for some adopted tickets."
    )  # inherited
    generic = schemas["RacePage"]["properties"]["next_cursor"]
    assert generic["description"].startswith("The `cursor` of the next page")
    assert schemas["Health"]["properties"]["schema"]["description"]  # by its alias
    assert '"1", "2"' in schemas["RaceRequest"]["properties"]["prize_distribution"]["description"]


def test_notes_for_maintainers_are_not_in_it(document: Json) -> None:
    _, _, internal = (inspect.getdoc(load("change_password")) or "").partition("\n\n")
    operation = operations(document)["POST /v1/me/password"]
    assert "As at log-in" in internal
    assert "As at log-in" not in operation["summary"] + operation["description"]


def test_every_request_body_has_a_valid_example(document: Json) -> None:
    for route, operation in operations(document).items():
        if "requestBody" in operation:
            media = operation["requestBody"]["content"]["application/json"]
            schema = media["schema"] | {"components": document["components"]}
            OAS31Validator(schema).validate(media["example"])
            assert not OAS31Validator(schema).is_valid(media["example"] | {"unknown": 1}), route
        for parameter in operation.get("parameters", []):
            assert parameter.get("in") != "path" or parameter["example"], route


def test_every_response_has_valid_examples(document: Json) -> None:
    for route, operation in operations(document).items():
        for status, response in operation["responses"].items():
            for media in resolved(document, response).get("content", {}).values():
                examples = [resolved(document, one)["value"] for one in media.get("examples", {}).values()]
                assert examples or "example" in media, f"{route} {status}"
                validator = OAS31Validator(media["schema"] | {"components": document["components"]})
                for example in examples or [media["example"]]:
                    validator.validate(example)


def test_an_absent_field_of_a_request_is_described_and_has_no_default(document: Json) -> None:
    """Generators make a field with a default a required one."""
    assert '"default"' not in json.dumps(document["components"]["schemas"])
    fields = document["components"]["schemas"]["TicketRequest"]
    assert "priority" not in fields["required"]
    assert fields["properties"]["priority"]["description"].endswith("If absent: `medium`.")


def test_every_field_of_a_response_is_required(document: Json) -> None:
    schemas = document["components"]["schemas"]
    for operation in operations(document).values():
        for status, response in operation["responses"].items():
            for media in response.get("content", {}).values() if status < "300" else ():
                schema = resolved(document, media["schema"])
                assert schema.get("required", []) == list(schema.get("properties", {}))
    assert schemas["Health"]["required"] == ["status", "database", "schema"]


def test_a_parameter_is_never_null(document: Json) -> None:
    for route, operation in operations(document).items():
        for parameter in operation.get("parameters", []):
            schema = resolved(document, parameter)["schema"]
            assert "$ref" not in schema, route
            assert "null" not in json.dumps(schema), route


def test_a_field_with_a_fixed_set_of_values_lists_them(document: Json) -> None:
    schemas = document["components"]["schemas"]

    def values(model: str, field: str) -> list[str]:
        schema = resolved(document, schemas[model]["properties"][field])
        return list(schema.get("enum") or schema["anyOf"][0]["enum"])

    assert values("Race", "status") == ["upcoming", "live", "completed", "cancelled"]
    assert values("Race", "type") == ["weekly", "monthly", "weekend"]
    for model in ("Ticket", "TicketWithMessages", "MemberTicket"):
        assert values(model, "status") == ["open", "in_progress", "closed"]
        assert values(model, "priority") == ["low", "medium", "high"]
    for model in ("Reward", "GrantedReward"):
        assert values(model, "source_type") == list(get_args(Source.__value__))
        assert values(model, "state") == list(get_args(State.__value__))
    assert values("MemberLink", "decision") == ["approved", "refused"]
    for model in ("CodeClaim", "IssuedCode", "MemberClaim", "Reward"):
        assert values(model, "currency") == ["USD"]


def test_the_export_is_an_open_object(document: Json) -> None:
    media = operations(document)["GET /v1/me/export"]["responses"]["200"]["content"]["application/json"]
    assert media["schema"]["additionalProperties"] is True


def test_a_body_is_optional_if_all_its_fields_are(document: Json) -> None:
    bodies = {route: one["requestBody"] for route, one in operations(document).items() if "requestBody" in one}
    assert {route for route, body in bodies.items() if not body["required"]} == {
        "PATCH /v1/admin/tickets/{id}",
        "PATCH /v1/me",
        "POST /v1/admin/payouts",
        "POST /v1/admin/races/{id}/settlement",
        "POST /v1/me/notifications/read",
        "POST /v1/wheel/seeds",
        "POST /v1/wheel/spins",
    }


def test_every_model_is_used_and_none_has_a_private_name(document: Json) -> None:
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


def test_check_fails_if_a_written_file_differs(
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

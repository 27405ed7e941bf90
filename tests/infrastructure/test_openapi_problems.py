"""The OpenAPI document describes each error that a route can be answered with."""

import ast
import importlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from goatedvips import errors
from goatedvips.domain.wheel import spins
from goatedvips.errors import Problem
from goatedvips.http.problems import problem_by_code
from tests.infrastructure.described import listed, operations, refusals, resolved
from tests.infrastructure.project import ROOT
from tools.openapi import __main__ as command
from tools.openapi import document as openapi
from tools.openapi import problems as openapi_problems

type Json = dict[str, Any]

OF_EVERY_PROBLEM = {"detail", "retry_after", "reason", "leaves"}


def test_the_page_of_problems_is_what_the_docstrings_say() -> None:
    page = command.PROBLEMS.read_text()
    assert openapi_problems.with_problem_table(page) == page, "`make openapi` writes it"
    assert re.findall(r"^\| `(\w+)` ", page, re.MULTILINE).count("already_spun") == 1


def test_every_refusal_is_a_problem_document(document: Json) -> None:
    """And nothing else: a second media type would make `code` unreadable for generated clients."""
    for route, operation in operations(document).items():
        answers = refusals(document, operation)
        assert "default" in answers, route
        for answer in answers.values():
            assert list(answer["content"]) == ["application/problem+json"], route
    assert "HTTPValidationError" not in json.dumps(document)


def test_a_refusal_s_code_is_one_of_those_that_its_response_lists(document: Json) -> None:
    for operation in operations(document).values():
        for status, answer in refusals(document, operation).items():
            (media,) = answer["content"].values()
            choices = [resolved(document, choice) for choice in media["schema"].get("oneOf", [media["schema"]])]
            codes = [code for choice in choices for code in choice["properties"]["code"]["enum"]]
            assert codes == listed(document, operation)[status] == list(media["examples"])
            for choice in choices:
                assert choice["required"][:6] == ["type", "title", "status", "detail", "code", "request_id"]


@pytest.mark.parametrize(
    ("code", "members"),
    [
        ("already_spun", {"spin_id", "next_spin_at"}),
        ("exclusion_running", {"excluded_until", "permanent"}),
        ("exclusion_shorter", {"excluded_until", "permanent"}),
        ("link_decided", {"decision"}),
        ("validation_failed", {"errors"}),
        ("forbidden", set()),
    ],
)
def test_a_refusal_that_carries_more_has_it_in_its_schema(document: Json, code: str, members: set[str]) -> None:
    name = openapi_problems.schema_name(problem_by_code()[code])
    schema = document["components"]["schemas"][name]
    assert set(schema["required"]) - set(openapi_problems.BASE_MEMBERS) == members
    assert set(schema["properties"]) - set(openapi_problems.BASE_MEMBERS) == members
    assert all(part["description"] for part in schema["properties"].values())


def raised_with_members() -> Iterator[tuple[str, set[str]]]:
    """Every problem that the layer makes, with the members that it is given."""
    for file in sorted((ROOT / "shared/goatedvips").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                kind = getattr(errors, node.func.id, None)
                if isinstance(kind, type) and issubclass(kind, Problem):
                    yield node.func.id, {str(keyword.arg) for keyword in node.keywords} - OF_EVERY_PROBLEM


def test_a_problem_is_made_with_the_members_that_its_class_declares() -> None:
    found = list(raised_with_members())
    assert len(found) > 20
    for name, given in found:
        kind = getattr(errors, name)
        declared = set(kind.__annotations__) if kind is not Problem else set()
        optional = {member for member in declared if hasattr(kind, member)}
        # The edge itself writes the errors of a 422 that has none.
        assert given <= declared, name
        assert declared - given <= optional | {"errors"}, name


@pytest.mark.parametrize(
    ("route", "status", "codes"),
    [
        ("POST /v1/wheel/spins", "409", ["already_spun", "idempotency_in_progress"]),
        ("POST /v1/wheel/spins", "403", ["account_suspended", "email_unverified", "self_excluded"]),
        ("POST /v1/wheel/spins", "422", ["idempotency_key_reused", "validation_failed"]),
        ("POST /v1/accounts", "409", ["email_taken", "username_taken"]),
        ("POST /v1/accounts", "429", ["too_many_attempts"]),
        ("POST /v1/sessions", "401", ["invalid_credentials"]),
        ("POST /v1/admin/codes", "403", ["account_suspended", "forbidden", "own_rights"]),
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
    assert listed(document, operations(document)[route]).get(status, []) == codes


def test_every_problem_is_listed_by_its_status_and_some_route_has_it(document: Json) -> None:
    kinds = problem_by_code()
    found = set()
    for route, operation in operations(document).items():
        for status, codes in listed(document, operation).items():
            found |= set(codes)
            assert status == "default" or {str(kinds[code].status) for code in codes} == {status}, route
    assert found == kinds.keys()


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
    docstring = "Spin.\n\nRaises\n------\nAlreadySpun, NotFound: or both,\n    at once: Whatever\nForbidden\n\nNobody"
    monkeypatch.setattr(spins.spin, "__doc__", docstring)
    assert openapi_problems.problems_named(spins.spin) == {errors.AlreadySpun, errors.NotFound, errors.Forbidden}
    monkeypatch.setattr(spins.spin, "__doc__", docstring.replace("NotFound", "LookupError"))
    with pytest.raises(SystemExit, match=r"goatedvips\.domain\.wheel\.spins\.spin: 'LookupError'"):
        openapi.document()

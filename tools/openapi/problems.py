"""The problems of each route in the OpenAPI document: those of the domain functions it calls, and those of the edge."""

import ast
import inspect
import re
from collections.abc import Callable
from functools import cache
from types import FunctionType, ModuleType
from typing import Any, cast, get_args, get_type_hints

from pydantic import TypeAdapter

from goatedvips import errors
from goatedvips.db import reading, repeatable_read, transaction
from goatedvips.domain import idempotency
from goatedvips.errors import (
    BodyTooLarge,
    Conflict,
    DatabaseUnavailable,
    Forbidden,
    IdempotencyInProgress,
    InternalError,
    MalformedRequest,
    NotFound,
    Problem,
    SchemaOutdated,
    TooManyAttempts,
    Unauthenticated,
    UnsupportedMediaType,
    ValidationFailed,
    edge,
    problem,
    rules,
)
from goatedvips.http import HttpApi
from goatedvips.http.problems import MEDIA_TYPE, explanation, problem_by_code
from tools.openapi.examples import example
from tools.openapi.sources import attribute_docstrings

DOMAIN = "goatedvips.domain."
BASE_MEMBERS = ("type", "title", "status", "detail", "code", "request_id")
WITH_RETRY_AFTER = {TooManyAttempts, IdempotencyInProgress, DatabaseUnavailable, SchemaOutdated}
TABLE_HEAD = "| code | status | what it means, and what helps |\n| --- | --- | --- |\n"
DATABASE_BLOCKS = {reading, repeatable_read, transaction}
RAISES = re.compile(r"^Raises\n-+\n((?:.+\n?)+)", re.MULTILINE)

type Json = dict[str, Any]


def problem_responses(
    operation: Json, module: ModuleType, api: HttpApi, path: str, method: str, *, keyed: bool
) -> Json:
    """Return the error responses of an operation by status.

    Parameters
    ----------
    operation: as the document has it so far.
    module: the handler's, and `api` its resolver.
    keyed: whether the operation honours an Idempotency-Key.
    """
    by_status: dict[str, list[type[Problem]]] = {"default": [Conflict, InternalError]}
    for kind in sorted(problems_of(operation, module, api, path, method, keyed=keyed), key=lambda kind: kind.code):
        by_status.setdefault(str(kind.status), []).append(kind)
    return {status: problem_response(kinds, status) for status, kinds in by_status.items()}


def problems_of(
    operation: Json, module: ModuleType, api: HttpApi, path: str, method: str, *, keyed: bool
) -> set[type[Problem]]:
    """Return the problems of an operation: those of what it calls, and those that follow from its form."""
    kinds = problems_raised(module)
    if method != "get":  # a route that declares no body refuses fields
        kinds |= {MalformedRequest, BodyTooLarge, UnsupportedMediaType, ValidationFailed}
    if any(parameter.get("in") == "query" for parameter in operation.get("parameters", [])):
        kinds.add(ValidationFailed)
    if "{" in path:
        kinds.add(NotFound)
    if api.who != "anyone":
        kinds.add(Unauthenticated)
    if keyed:
        kinds |= {IdempotencyInProgress, ValidationFailed} | problems_named(idempotency.claim) - {Forbidden}
    if api.who == "staff":
        kinds.add(Forbidden)
    blocks = DATABASE_BLOCKS & {value for value in vars(module).values() if inspect.isfunction(value)}
    if blocks or api.database is not None:
        kinds |= {DatabaseUnavailable, SchemaOutdated}
    return kinds


def problem_response(kinds: list[type[Problem]], status: str) -> Json:
    """Describe the response that one of these problems is."""
    described = "; ".join(f"`{kind.code}`: {kind.title}" for kind in kinds)
    headers = {"X-Request-Id": {"$ref": "#/components/headers/XRequestId"}}
    if WITH_RETRY_AFTER & set(kinds):
        headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    choices = [{"$ref": f"#/components/schemas/{schema_name(kind)}"} for kind in kinds]
    return {
        "description": f"Any other problem: {described}" if status == "default" else described,
        "headers": headers,
        "content": {
            MEDIA_TYPE: {
                "schema": choices[0] if len(choices) == 1 else {"oneOf": choices},
                "examples": {kind.code: {"$ref": f"#/components/examples/{kind.code}"} for kind in kinds},
            }
        },
    }


def problem_schemas() -> Json:
    """Describe the document of every problem, by the name of its schema."""
    return {schema_name(kind): problem_schema(kind) for kind in problem_by_code().values()}


def schema_name(kind: type[Problem]) -> str:
    """Return the name of a problem's schema."""
    return f"{kind.__name__}Problem"


def problem_schema(kind: type[Problem]) -> Json:
    """Describe the document of a problem: its own `code`, and the members that its class declares."""
    text = {"type": "string"}
    members = {name: member_schema(kind, name) for name in kind.__annotations__}
    optional = {name for name in members if hasattr(kind, name)}
    return {
        "type": "object",
        "description": explanation(kind),
        "required": [*BASE_MEMBERS, *(name for name in members if name not in optional)],
        "properties": {
            "type": {"const": f"/problems/{kind.code}", **text, "description": "The path of a page that explains it."},
            "title": {**text, "description": "The same sentence for every problem of this code."},
            "status": {"type": "integer", "const": kind.status, "description": "The response's HTTP status."},
            "detail": {**text, "description": "A sentence about this request; often the title."},
            "code": {**text, "enum": [kind.code], "description": "Stable: programs should use it."},
            "request_id": {**text, "description": "Tell it to support; also in `X-Request-Id`."},
            **members,
        },
    }


def member_schema(kind: type[Problem], name: str) -> Json:
    """Describe a member that a problem's class declares; one whose default is None may be absent and is never null."""
    annotation = get_type_hints(kind)[name]
    if hasattr(kind, name):
        (annotation,) = (choice for choice in get_args(annotation) if choice is not type(None))
    schema: Json = TypeAdapter(annotation).json_schema(mode="serialization")
    described = member_texts()
    if definitions := schema.pop("$defs", {}):  # errors: a list of one kind of object
        (model,) = definitions.values()
        for field, part in model["properties"].items():
            part["description"] = described[f"{model['title']}.{field}"]
        schema["items"] = model
    return {**without_titles(schema), "description": described[f"{kind.__name__}.{name}"]}


@cache
def member_texts() -> dict[str, str]:
    """Return the docstrings under the members of the problems' classes, by `Class.member`."""
    modules = (problem, edge, rules)
    return {name: text for part in modules for name, text in attribute_docstrings(ast.parse(inspect.getsource(part)))}


def without_titles(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Leave out the titles that pydantic makes of names."""
    if isinstance(value, dict):
        return {
            name: without_titles(part) for name, part in value.items() if name != "title" or not isinstance(part, str)
        }
    return [without_titles(part) for part in value] if isinstance(value, list) else value


def problem_examples() -> Json:
    """Return an example of each problem's document, by its code; without members that only one route answers."""
    examples = {}
    for code, kind in problem_by_code().items():
        schema = problem_schema(kind)
        members = cast("Json", example(schema, {}, model=schema_name(kind)))
        examples[code] = {name: members[name] for name in schema["required"]} | {
            "title": kind.title,
            "detail": kind.title,
        }
    return examples


def problems_raised(module: ModuleType) -> set[type[Problem]]:
    """Return what the domain functions that a handler calls say that they raise."""
    found: set[type[Problem]] = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        match node:
            case ast.Call(func=ast.Name(id=name)):
                called = vars(module).get(name)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)):
                called = getattr(vars(module).get(owner), name, None)
            case _:
                continue
        if isinstance(called, FunctionType) and called.__module__.startswith(DOMAIN):
            found |= problems_named(called)
    return found


def problems_named(function: Callable[..., object]) -> set[type[Problem]]:
    """Return the problems in the `Raises` section of a docstring; any other name there is a mistake."""
    section = RAISES.search(inspect.getdoc(function) or "")
    lines = [line for line in section[1].splitlines() if not line.startswith(" ")] if section else []
    found = set()
    for name in (name.strip() for line in lines for name in line.partition(":")[0].split(",")):
        kind = getattr(errors, name, None)
        if not (isinstance(kind, type) and issubclass(kind, Problem)):
            where = f"{function.__module__}.{function.__qualname__}"
            raise SystemExit(f"{where}: {name!r} under Raises is no problem of goatedvips.errors.")
        found.add(kind)
    return found


def with_problem_table(page: str) -> str:
    """Return a Markdown page with the table at its end replaced by a present one: a row for each problem."""
    before = page[: page.index(TABLE_HEAD)]
    kinds = sorted(problem_by_code().values(), key=lambda kind: (kind.status, kind.code))
    rows = [f"| `{kind.code}` | {kind.status} | {explanation(kind)} |" for kind in kinds]
    return before + TABLE_HEAD + "\n".join(rows) + "\n"

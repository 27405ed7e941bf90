"""The problems of each route in the OpenAPI document: those of the domain functions it calls, and the edge's own."""

import ast
import inspect
import re
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from goatedvips import errors
from goatedvips.db import reading, repeatable_read, transaction
from goatedvips.domain import idempotency
from goatedvips.errors import (
    BodyTooLarge,
    DatabaseUnavailable,
    Forbidden,
    IdempotencyInProgress,
    InternalError,
    MalformedRequest,
    NotFound,
    Problem,
    SchemaOutdated,
    Unauthenticated,
    UnsupportedMediaType,
    ValidationFailed,
)
from goatedvips.http import HttpApi

DOMAIN = "goatedvips.domain."
TABLE_HEAD = "| code | status | what it means, and what helps |\n| --- | --- | --- |\n"
DATABASE_BLOCKS = {reading, repeatable_read, transaction}
RAISES = re.compile(r"^Raises\n-+\n((?:.+\n?)+)", re.MULTILINE)

type Json = dict[str, Any]


def problems(operation: Json, module: ModuleType, api: HttpApi, path: str, method: str, *, keyed: bool) -> Json:
    """Return the refusals of an operation by status: those of what it calls, and those that follow from its form."""
    kinds = problems_raised(module)
    if method != "get":  # be it to have no fields
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
    if {transaction, reading, repeatable_read} & {
        value for value in vars(module).values() if inspect.isfunction(value)
    }:
        kinds |= {DatabaseUnavailable, SchemaOutdated}
    said: dict[str, list[str]] = {"default": [f"Any other problem, such as `{InternalError.code}`"]}
    for kind in sorted(kinds, key=lambda kind: kind.code):
        said.setdefault(str(kind.status), []).append(f"`{kind.code}`: {kind.title}")
    guarded = {"401": "Unauthenticated"} if api.who != "anyone" else {}
    return {
        status: {
            "$ref": f"#/components/responses/{guarded.get(status, 'Problem')}",
            "description": "; ".join(lines),
        }
        for status, lines in said.items()
    }


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
    kinds = sorted(errors.problem_by_code().values(), key=lambda kind: (kind.status, kind.code))
    rows = [f"| `{kind.code}` | {kind.status} | {errors.explanation(kind)} |" for kind in kinds]
    return before + TABLE_HEAD + "\n".join(rows) + "\n"


def problem_model() -> Json:
    """Describe a problem document (RFC 9457)."""
    text = {"type": "string"}
    fault = {
        "type": "object",
        "required": ["pointer", "detail"],
        "properties": {
            "pointer": {**text, "description": "JSON pointer into the body, or to a parameter."},
            "detail": {**text, "description": "What is wrong with it, for a person."},
        },
    }
    return {
        "type": "object",
        "description": "A problem document (RFC 9457); some codes have further members.",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": {**text, "description": "`/problems/` and the code."},
            "title": {**text, "description": "The same sentence for every problem of this code."},
            "status": {"type": "integer", "description": "The answer's HTTP status."},
            "detail": {**text, "description": "One sentence on this very request; the title where nothing is to add."},
            "code": {**text, "description": "Stable; more may come.", "examples": sorted(errors.problem_by_code())},
            "request_id": {**text, "description": "To be quoted to support; also in `X-Request-Id`."},
            "errors": {"type": "array", "items": fault, "description": "With 422: what is wrong, and where."},
        },
    }

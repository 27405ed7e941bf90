"""`make openapi`: writes the API's OpenAPI document, made from what the handlers themselves declare.

Powertools describes paths and bodies; `sources` finds the words and samples that belong to them, and
`problems` the refusals.  What is the same for all routes is added here once.  `--check` writes nothing and
fails when the file is not what it should be.
"""

import importlib.util
import inspect
import json
import re
import sys
import tomllib
from copy import deepcopy
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any

from aws_lambda_powertools.event_handler.openapi.merge import OpenAPIMerge

from goatedvips.http import HttpApi, created_once, revalidated
from tools.openapi.problems import problem_model, problems
from tools.openapi.sources import describe_parameters, describe_schemas, sample

ROOT = Path(__file__).resolve().parents[2]
MODELS = "#/components/schemas/"
NOISE = {"title", "gt", "lt", "ge", "le"}  # titles that repeat a name; pydantic's bounds of what is written as text

type Json = dict[str, Any]

DESCRIPTION = """\
Money is a decimal string, an instant RFC 3339 in UTC, an id an integer. An unknown field in a request is refused.

Errors are problem documents (RFC 9457) with a stable `code`. What API Gateway itself answers (no `Authorization`
header, unknown route, throttled, time-out) is its own `{"message": …}`.

Lists are read page by page: `cursor` is the `next_cursor` of the page before.

A signed-in POST with an `Idempotency-Key` is answered once: for 24 hours the same request gets the same answer. Where
the body has a password, the header means nothing.
"""
TAGS = {
    "accounts": "Accounts and sessions.",
    "members": "Members, as staff see and change them.",
    "privacy": "Everything about the member, to take along or to erase.",
    "wheel": "The provably fair wheel.",
    "codes": "Bonus codes.",
    "races": "Wager races and their leaderboards.",
    "tickets": "Support.",
    "newsletter": "Subscriptions, in force once confirmed by mail.",
    "operations": "What runs this API.",
}
COMPONENTS: Json = {
    "securitySchemes": {
        "session": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "gvp_…",
            "description": "The token that `POST /v1/sessions` answers.",
        }
    },
    "parameters": {
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "1 to 255 printable ASCII characters, chosen by the caller: one for each intended effect.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]{1,255}$"},
        },
        "IfNoneMatch": {
            "name": "If-None-Match",
            "in": "header",
            "description": "The `ETag` of the copy that the caller has.",
            "schema": {"type": "string"},
        },
    },
    "headers": {
        "ETag": {"description": "Changes with the answer.", "schema": {"type": "string"}},
        "XRequestId": {"description": "To be quoted to support.", "schema": {"type": "string"}},
        "IdempotencyReplayed": {
            "description": "`true`: this is the first request's answer again.",
            "schema": {"type": "string", "const": "true"},
        },
        "RetryAfter": {
            "description": "Whole seconds after which trying again makes sense (429, 503).",
            "schema": {"type": "integer", "minimum": 1},
        },
    },
    "responses": {
        "Problem": {
            "description": "The request was refused, and changed nothing.",
            "headers": {
                "X-Request-Id": {"$ref": "#/components/headers/XRequestId"},
                "Retry-After": {"$ref": "#/components/headers/RetryAfter"},
            },
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        },
        "Unauthenticated": {
            "description": "There is no live session; without an `Authorization` header API Gateway says so itself.",
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
                "application/json": {
                    "schema": {"type": "object", "properties": {"message": {"type": "string", "const": "Unauthorized"}}}
                },
            },
        },
    },
}


def document() -> Json:
    """Return the whole document. A handler that cannot be imported raises what its import raises."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    merge = OpenAPIMerge(title="GoatedVIPs", version=version, openapi_version="3.1.0", on_conflict="error")
    models: dict[str, Json] = {}
    for file in sorted((ROOT / "functions").glob("*/*.py")):
        module = imported(file)
        if isinstance(api := getattr(module, "api", None), HttpApi):
            part = described(module, api, file)
            agree_on_models(models, part, file)
            merge.add_schema(part)
    merged = merge.get_openapi_schema()
    merged["info"] |= {"description": DESCRIPTION, "license": {"name": "MIT", "identifier": "MIT"}}
    merged["servers"] = [{"url": "/"}]
    merged["tags"] = [{"name": name, "description": said} for name, said in TAGS.items()]
    models["Problem"] = problem_model()
    merged["components"] = {"schemas": dict(sorted(models.items()))} | COMPONENTS
    merged["paths"] = dict(sorted(merged["paths"].items()))
    return merged


def imported(file: Path) -> ModuleType:
    """Import a handler's file by its path."""
    spec = importlib.util.spec_from_file_location(f"described_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def described(module: ModuleType, api: HttpApi, file: Path) -> Json:
    """Return what Powertools says of a handler, tidied and completed."""
    part: Json = tidied(json.loads(api.get_openapi_json_schema(openapi_version="3.1.0")))
    part["components"] = {"schemas": part.get("components", {}).get("schemas", {})}
    describe_schemas(part["components"]["schemas"])
    for path, operations in part.setdefault("paths", {}).items():
        for method, operation in operations.items():
            keyed = method == "post" and api.keyed
            complete(operation, module, api, file, keyed=keyed)
            answers = operation["responses"] | problems(operation, module, api, path, method, keyed=keyed)
            operation["responses"] = dict(sorted(answers.items()))
            if body := operation.get("requestBody"):
                complete_body(body, part["components"]["schemas"], file)
    models = part["components"]["schemas"]
    part = with_private_models_in_place(part, {name: model for name, model in models.items() if name.startswith("_")})
    part["components"]["schemas"] = used_models(part)
    return json.loads(re.sub(r"\bPage_(\w+?)_(?=\")", r"\1Page", json.dumps(part)))  # type: ignore[no-any-return]


def tidied(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Leave out what says nothing to a reader, or nothing in JSON Schema."""
    if isinstance(value, dict):
        return {
            name: tidied(part) for name, part in value.items() if name not in NOISE or isinstance(part, dict | list)
        }
    if isinstance(value, list):
        return [tidied(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def with_private_models_in_place(value: Any, models: Json) -> Any:  # noqa: ANN401 - any JSON
    """Put a model whose name begins with `_` where it is referred to: the name is its module's own affair."""
    if isinstance(value, list):
        return [with_private_models_in_place(part, models) for part in value]
    if not isinstance(value, dict):
        return value
    model = models.get(str(value.get("$ref")).removeprefix(MODELS))
    rest = {name: part for name, part in value.items() if not (model and name == "$ref")}
    return {name: with_private_models_in_place(part, models) for name, part in ((model or {}) | rest).items()}


def used_models(part: Json) -> Json:
    """Return the models that the operations refer to, directly or through others."""
    models, found = part["components"]["schemas"], {}
    waiting: list[Any] = [part["paths"]]
    while waiting:
        for name in re.findall(rf'"{MODELS}(\w+)"', json.dumps(waiting.pop())):
            if name in models and name not in found:
                found[name] = models[name]
                waiting.append(models[name])
    return found


def complete(operation: Json, module: ModuleType, api: HttpApi, file: Path, *, keyed: bool) -> None:
    """Add what an operation has in common with the others of its kind."""
    said = inspect.cleandoc(module.__doc__ or "").partition("\n\n")[0]  # the rest is for who works on it
    summary = " ".join(re.sub(r"^[A-Z]+ \S+: ", "", said).split()).rstrip(".")
    operation["operationId"] = file.stem
    operation["summary"] = summary[:1].upper() + summary[1:]
    operation.pop("description", None)
    operation["tags"] = [file.parent.name]
    operation["responses"].pop("422", None)
    parameters = operation.setdefault("parameters", [])
    describe_parameters(parameters, getattr(module, file.stem))
    for parameter in parameters:
        if parameter["in"] == "path":
            parameter["example"] = json.loads(sample(file.stem)["pathParameters"][parameter["name"]])
    complete_responses(operation["responses"], parameters, module)
    if api.who != "anyone":
        operation["security"] = [{"session": []}]
    if keyed:
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
        for response in operation["responses"].values():
            response["headers"]["Idempotency-Replayed"] = {"$ref": "#/components/headers/IdempotencyReplayed"}
    if not parameters:
        del operation["parameters"]


def complete_responses(responses: Json, parameters: list[Json], module: ModuleType) -> None:
    """Add what the responses of an operation have in common, and those that its handler's edge gives."""
    for status, response in responses.items():
        response["description"] = HTTPStatus(int(status)).phrase
        if int(status) == HTTPStatus.NO_CONTENT:
            del response["content"]
        response["headers"] = {"X-Request-Id": {"$ref": "#/components/headers/XRequestId"}}
    if getattr(module, "created_once", None) is created_once:
        responses["200"] = deepcopy(responses["201"]) | {"description": "There already: what was created first"}
    if getattr(module, "revalidated", None) is revalidated:
        parameters.append({"$ref": "#/components/parameters/IfNoneMatch"})
        responses["200"]["headers"]["ETag"] = {"$ref": "#/components/headers/ETag"}
        responses["304"] = {"description": "The copy is as it should be", "headers": responses["200"]["headers"]}


def complete_body(body: Json, models: Json, file: Path) -> None:
    """Say whether a body may be left out, which is an empty object's short form, and give the sample event's."""
    media = body["content"]["application/json"]
    schema = models.get(str(media["schema"].get("$ref")).removeprefix(MODELS), media["schema"])
    body["required"] = bool(schema.get("required") or schema.get("minProperties"))
    media["example"] = json.loads(sample(file.stem)["body"])


def agree_on_models(models: dict[str, Json], part: Json, file: Path) -> None:
    """Collect a handler's models; two different ones of one name would become one."""
    for name, model in part.get("components", {}).get("schemas", {}).items():
        if models.setdefault(name, model) != model:
            raise SystemExit(f"{file}: another handler has a different model {name!r}; give one of them another name.")

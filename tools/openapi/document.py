"""The API's OpenAPI document, made from what the handlers declare.

Powertools describes paths and bodies.  `sources` adds descriptions and samples of requests, `problems` the error
responses, `examples` those of success.  What all routes have in common is added here.
"""

import importlib.util
import inspect
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from aws_lambda_powertools.event_handler.openapi.merge import OpenAPIMerge

from goatedvips.http import HttpApi, created_once, revalidated
from goatedvips.http.csv_pages import csv_page
from tools.openapi.constants import COMPONENTS, CONTACT, DESCRIPTION, LICENSE, TAGS
from tools.openapi.examples import example
from tools.openapi.problems import problem_examples, problem_responses, problem_schemas
from tools.openapi.sources import describe_parameters, describe_schemas, sample

ROOT = Path(__file__).resolve().parents[2]
MODELS = "#/components/schemas/"
NOISE = {"title", "gt", "lt", "ge", "le"}  # titles that repeat a name; pydantic's bounds of what is written as text

type Json = dict[str, Any]


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
    merged["info"] |= {"description": DESCRIPTION, "contact": CONTACT, "license": LICENSE}
    merged["servers"] = [{"url": "/"}]
    merged["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    merged["paths"] = dict(sorted(merged["paths"].items()))
    responses = shared_responses(merged["paths"])
    models |= used_models(responses, problem_schemas())
    merged["components"] = {
        "schemas": dict(sorted(models.items())),
        "responses": responses,
        "examples": {code: {"value": value} for code, value in problem_examples().items()},
    } | COMPONENTS
    return merged


def shared_responses(paths: Json) -> Json:
    """Put references in place of the error responses; return the responses, by the codes of their problems."""
    found: Json = {}
    for operation in (operation for operations in paths.values() for operation in operations.values()):
        for status, response in operation["responses"].items():
            if status >= "400":
                (media,) = response["content"].values()
                name = "_or_".join(media["examples"])
                found[name] = response
                operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    return dict(sorted(found.items()))


def imported(file: Path) -> ModuleType:
    """Import a handler's file by its path, since functions/ has no packages."""
    spec = importlib.util.spec_from_file_location(f"described_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def described(module: ModuleType, api: HttpApi, file: Path) -> Json:
    """Return Powertools' description of a handler, tidied and completed."""
    part: Json = tidied(json.loads(api.get_openapi_json_schema(openapi_version="3.1.0")))
    part["components"] = {"schemas": part.get("components", {}).get("schemas", {})}
    describe_schemas(part["components"]["schemas"])
    models = part["components"]["schemas"]
    part = with_private_models_in_place(part, {name: model for name, model in models.items() if name.startswith("_")})
    models = part["components"]["schemas"]
    for path, operations in part.setdefault("paths", {}).items():
        for method, operation in operations.items():
            settle_defaults(operation, models)
            keyed = method == "post" and api.keyed
            complete(operation, models, module, api, file, keyed=keyed)
            answers = operation["responses"] | problem_responses(operation, module, api, path, method, keyed=keyed)
            operation["responses"] = dict(sorted(answers.items()))
            if body := operation.get("requestBody"):
                complete_body(body, models, file)
    part["components"]["schemas"] = used_models(part["paths"], models)
    return json.loads(re.sub(r"\bPage_(\w+?)_(?=\")", r"\1Page", json.dumps(part)))  # type: ignore[no-any-return]


def tidied(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Leave out titles, and keywords that JSON Schema does not have."""
    if isinstance(value, dict):
        return {
            name: tidied(part) for name, part in value.items() if name not in NOISE or isinstance(part, dict | list)
        }
    if isinstance(value, list):
        return [tidied(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def with_private_models_in_place(value: Any, models: Json) -> Any:  # noqa: ANN401 - any JSON
    """Replace references to a model whose name begins with `_` by the model: the name is private to its module."""
    if isinstance(value, list):
        return [with_private_models_in_place(part, models) for part in value]
    if not isinstance(value, dict):
        return value
    model = models.get(str(value.get("$ref")).removeprefix(MODELS))
    rest = {name: part for name, part in value.items() if not (model and name == "$ref")}
    return {name: with_private_models_in_place(part, models) for name, part in ((model or {}) | rest).items()}


def used_models(value: Any, models: Json) -> Json:  # noqa: ANN401 - any JSON
    """Return the models that a part of the document refers to, directly or through others."""
    found: Json = {}
    waiting: list[Any] = [value]
    while waiting:
        for name in re.findall(rf'"{MODELS}(\w+)"', json.dumps(waiting.pop())):
            if name in models and name not in found:
                found[name] = models[name]
                waiting.append(models[name])
    return found


def settle_defaults(operation: Json, models: Json) -> None:
    """Say in words what an absent field of a request means, and mark every field of a response as required.

    Client generators make a field with `default` required in requests and optional in responses.
    """
    for model in used_models(operation.get("requestBody"), models).values():
        for field in model.get("properties", {}).values():
            if (default := field.pop("default", None)) is not None:
                field["description"] = f"{field['description']} If absent: `{default}`."
    for model in used_models(operation["responses"], models).values():
        if properties := model.get("properties"):
            model["required"] = list(properties)
            for field in properties.values():
                field.pop("default", None)


def complete(operation: Json, models: Json, module: ModuleType, api: HttpApi, file: Path, *, keyed: bool) -> None:
    """Add what an operation has in common with the others of its kind."""
    public, _, _ = inspect.cleandoc(module.__doc__ or "").partition("\n\n")  # the rest is for maintainers
    summary = " ".join(re.sub(r"^[A-Z]+ \S+: ", "", public).split()).rstrip(".")
    function = getattr(module, file.stem)
    operation["operationId"] = file.stem
    operation["summary"] = summary[:1].upper() + summary[1:]
    words = (function.__doc__ or "").split()  # what a client has to know
    operation["description"] = " ".join([*words, *notes(operation, module, api, keyed=keyed)])
    operation["tags"] = [f"admin-{file.parent.name}" if api.who == "staff" else file.parent.name]
    operation["security"] = [] if api.who == "anyone" else [{"session": []}]
    operation["responses"].pop("422", None)
    parameters = operation.setdefault("parameters", [])
    describe_parameters(parameters, function)
    for parameter in parameters:
        parameter["schema"] = without_null(parameter["schema"], models)
        if parameter["in"] == "path":
            example = sample(file.stem)["pathParameters"][parameter["name"]]
            parameter["example"] = int(example) if parameter["schema"]["type"] == "integer" else example
    complete_responses(operation["responses"], models, parameters, module)
    if keyed:
        name = "RequiredIdempotencyKey" if api.key_required else "IdempotencyKey"
        parameters.append({"$ref": f"#/components/parameters/{name}"})
        for response in operation["responses"].values():
            response["headers"]["Idempotency-Replayed"] = {"$ref": "#/components/headers/IdempotencyReplayed"}
    if not parameters:
        del operation["parameters"]


def notes(operation: Json, module: ModuleType, api: HttpApi, *, keyed: bool) -> Iterator[str]:
    """Yield the sentences on an operation that follow from how its handler is made."""
    yield {"anyone": "Needs no session.", "member": "For signed-in members.", "staff": "For staff."}[api.who]
    if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", [])):
        yield "The list is read page by page."
    if keyed and api.key_required:
        yield "It needs an `Idempotency-Key`, with which it can be repeated safely."
    elif keyed:
        yield "With an `Idempotency-Key` it can be repeated safely."
    elif api.who != "anyone" and not api.keyed:
        yield "An `Idempotency-Key` has no effect, because the body has a password."
    if getattr(module, "created_once", None) is created_once:
        yield "The same request again is answered with 200 instead of 201."
    if getattr(module, "csv_page", None) is csv_page:
        yield "As CSV, each page begins with the names of the columns, and no text begins like a formula."
    if getattr(module, "revalidated", None) is revalidated:
        yield "With `If-None-Match` an unchanged response is 304 without a body."


def without_null(schema: Json, models: Json) -> Json:
    """Return the schema of a parameter in place of a reference to it; null, for an absent parameter, is left out."""
    if "$ref" in schema:
        merged = models[schema["$ref"].removeprefix(MODELS)] | schema
        return without_null({name: merged[name] for name in merged if name not in ("$ref", "description")}, models)
    if choices := [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]:
        (choice,) = choices
        inner: Json = choice
        return {name: part for name, part in schema.items() if name != "anyOf"} | inner
    return schema


def complete_responses(responses: Json, models: Json, parameters: list[Json], module: ModuleType) -> None:
    """Add what the success responses of all operations have in common, and what `goatedvips.http.responses` adds."""
    if getattr(module, "csv_page", None) is csv_page:  # the handler returns a page, or text
        content = responses["200"]["content"]
        page, text = content["application/json"]["schema"]["anyOf"]
        (item,) = cast("Json", example(page, models))["items"]
        rows = (
            ",".join(item) + "\r\n" + ",".join("" if value is None else str(value) for value in item.values()) + "\r\n"
        )
        content |= {"application/json": {"schema": page}, "text/csv": {"schema": text, "example": rows}}
    for status, response in responses.items():
        response["description"] = HTTPStatus(int(status)).phrase
        if int(status) == HTTPStatus.NO_CONTENT:
            del response["content"]
        for media in response.get("content", {}).values():
            if media["schema"].get("type") == "object" and "properties" not in media["schema"]:
                media["schema"]["additionalProperties"] = True  # else generators make an object without fields of it
            media.setdefault("example", example(media["schema"], models))
        response["headers"] = {"X-Request-Id": {"$ref": "#/components/headers/XRequestId"}}
    if getattr(module, "created_once", None) is created_once:
        responses["200"] = deepcopy(responses["201"]) | {"description": "It existed already"}
    if getattr(module, "csv_page", None) is csv_page:
        responses["200"]["headers"]["Link"] = {"$ref": "#/components/headers/NextPage"}
    if getattr(module, "revalidated", None) is revalidated:
        parameters.append({"$ref": "#/components/parameters/IfNoneMatch"})
        responses["200"]["headers"]["ETag"] = {"$ref": "#/components/headers/ETag"}
        responses["304"] = {"description": "The client's copy is current", "headers": responses["200"]["headers"]}


def complete_body(body: Json, models: Json, file: Path) -> None:
    """Say whether the body may be absent, which means an empty object, and add the one of the sample event."""
    media = body["content"]["application/json"]
    schema = models.get(str(media["schema"].get("$ref")).removeprefix(MODELS), media["schema"])
    body["required"] = bool(schema.get("required") or schema.get("minProperties"))
    media["example"] = json.loads(sample(file.stem)["body"])


def agree_on_models(models: dict[str, Json], part: Json, file: Path) -> None:
    """Add a handler's models to those of the others; two different models cannot have one name."""
    for name, model in part.get("components", {}).get("schemas", {}).items():
        if models.setdefault(name, model) != model:
            raise SystemExit(f"{file}: another handler has a different model {name!r}; give one of them another name.")

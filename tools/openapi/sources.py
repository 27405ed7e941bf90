"""What the OpenAPI document takes from elsewhere: descriptions of types and fields, and sample requests.

The descriptions are the strings under the fields of the validators.  Python does not keep these strings, so they are
read from the source.
"""

import ast
import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from goatedvips import validators

FEWEST_VALIDATORS = 12  # fewer are found where the search looks into the wrong folder
EVENTS = Path(__file__).resolve().parents[2] / "events"

type Json = dict[str, Any]


@cache
def validator_modules() -> list[ModuleType]:
    """Import the modules of the validators."""
    root = Path(validators.__path__[0])
    files = sorted(root.rglob("[!_]*.py"))
    if len(files) < FEWEST_VALIDATORS:
        raise SystemExit(f"{root} has {len(files)} modules: at least {FEWEST_VALIDATORS} were expected.")
    names = (".".join(file.relative_to(root).with_suffix("").parts) for file in files)
    return [importlib.import_module(f"{validators.__name__}.{name}") for name in names]


@cache
def texts() -> dict[str, str]:
    """Return the strings under the validators' fields and types, by `Model.field` and `Type`."""
    return {
        name: " ".join(text.split())
        for module in validator_modules()
        for name, text in attribute_docstrings(ast.parse(inspect.getsource(module)))
    }


def attribute_docstrings(tree: ast.Module | ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yield the string under each field and each type, with its name."""
    prefix = f"{tree.name}." if isinstance(tree, ast.ClassDef) else ""
    for statement, below in zip(tree.body, [*tree.body[1:], None], strict=True):
        match statement, below:
            case ast.ClassDef(), _:
                yield from attribute_docstrings(statement)
            case (
                (ast.AnnAssign(target=ast.Name(id=name)) | ast.TypeAlias(name=ast.Name(id=name))),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield prefix + name, text


def describe_schemas(schemas: Json) -> None:
    """Add the descriptions of types and fields to the schemas, those of inherited fields included."""
    models = {
        name: model
        for module in validator_modules()
        for name, model in vars(module).items()
        if isinstance(model, type) and issubclass(model, BaseModel)
    }
    for name, schema in schemas.items():
        if text := texts().get(name):
            schema["description"] = text
        if model := models.get(re.sub(r"(?<=\w)_.*", "", name)):  # Page_Race_ is a Page
            schema.setdefault("description", inspect.getdoc(model))
            for field, info in model.model_fields.items():
                words = (texts().get(f"{kind.__name__}.{field}") for kind in inspect.getmro(model))
                if text := next(filter(None, words), None):
                    schema["properties"][info.alias or field]["description"] = text


def describe_parameters(parameters: list[Json], function: Callable[..., object]) -> None:
    """Add the descriptions of the types of a handler's arguments to its parameters."""
    arguments = inspect.signature(function).parameters
    for parameter in parameters:
        if text := texts().get(getattr(arguments[parameter["name"]].annotation, "__name__", "")):
            parameter["description"] = text


def sample(name: str) -> Json:
    """Return the sample event of a function."""
    return json.loads((EVENTS / f"{name}.json").read_text("utf-8"))  # type: ignore[no-any-return]

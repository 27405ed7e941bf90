"""The OpenAPI document as the tests look at it."""

import re
from typing import Any

type Json = dict[str, Any]


def operations(document: Json) -> Json:
    """Every operation, by its method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def resolved(document: Json, value: Json) -> Json:
    """A part of the document, or what it refers to."""
    while "$ref" in value:
        _, *steps = value["$ref"].split("/")
        value = document
        for step in steps:
            value = value[step]
    return value


def refusals(document: Json, operation: Json) -> dict[str, Json]:
    """The error responses of an operation, by status."""
    return {
        status: resolved(document, response) for status, response in operation["responses"].items() if status > "399"
    }


def listed(document: Json, operation: Json) -> dict[str, list[str]]:
    """The codes that an operation lists, by status."""
    return {
        status: re.findall(r"`(\w+)`", response["description"])
        for status, response in refusals(document, operation).items()
    }

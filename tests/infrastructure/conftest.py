"""The OpenAPI document, for the tests of more than one file."""

from typing import Any

import pytest


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """The API's OpenAPI document, made anew."""
    from tools.openapi import document as openapi  # noqa: PLC0415 - it reads settings, which pytest_configure sets

    return openapi.document()

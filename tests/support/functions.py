"""Calls handlers as Lambda does: with the project's sample events, changed where a test says so."""

import importlib.util
import json
import secrets
import sys
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.members import Member

ROOT = Path(__file__).parents[2]


@cache
def load(name: str) -> ModuleType:
    """The module of a function, by its name; loaded once, as in a Lambda environment."""
    (path,) = (ROOT / "functions").glob(f"*/{name}.py")
    spec = importlib.util.spec_from_file_location(f"functions_{name}", path)
    assert spec is not None and spec.loader is not None  # noqa: PT018
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def function_name(name: str) -> str:
    """`spin_wheel` → `SpinWheelFunction`."""
    return "".join(word.capitalize() for word in name.split("_")) + "Function"


@dataclass(frozen=True)
class Context:
    """What Lambda passes beside the event."""

    function_name: str
    aws_request_id: str
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:test"
    seconds: int = 15

    def get_remaining_time_in_millis(self) -> int:
        """Always as much."""
        return 1000 * self.seconds


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.text)


def event(  # noqa: PLR0913 - whatever a test may change of a request
    name: str,
    *,
    by: Member | None = None,
    body: object = None,
    raw: str | None = None,
    method: str | None = None,
    path: str | None = None,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    address: str | None = None,
) -> dict[str, Any]:
    """The function's sample event with these changes; the caller is nobody unless given."""
    made: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    context = made["requestContext"]
    context["requestId"] = secrets.token_hex(8)
    context.pop("authorizer", None)
    if by is not None:
        context["authorizer"] = {"lambda": by.caller}
    made["headers"] |= headers or {}
    if body is not None or raw is not None:
        made["body"] = json.dumps(body) if raw is None else raw
        made["isBase64Encoded"] = False
    if method is not None:
        context["http"]["method"] = method
    if path is not None:
        made["rawPath"] = context["http"]["path"] = path
    if query is not None:
        made["queryStringParameters"] = query
        made["rawQueryString"] = "&".join(f"{key}={value}" for key, value in query.items())
    context["http"]["sourceIp"] = address or f"198.51.100.{secrets.randbelow(250) + 1}"
    return made


class Functions:
    """The functions, to be called by name."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def set_clock(self, name: str, now: datetime) -> None:
        """Let the handler, and the edge around it, read this instant."""
        edge = [module for name, module in sys.modules.items() if name.startswith("goatedvips.http.")]
        for module in (load(name), *edge):
            if hasattr(module, "utc_now"):
                self._monkeypatch.setattr(module, "utc_now", lambda: now)

    def send(self, name: str, request: dict[str, Any]) -> Answer:
        """Call a function that has a route with a whole event, as `event` makes it."""
        answer = load(name).handler(request, Context(function_name(name), secrets.token_hex(8)))
        return Answer(int(answer["statusCode"]), answer["headers"], answer.get("body") or "")

    def call(self, name: str, *, now: datetime | None = None, **changes: Any) -> Answer:
        """Call a function that has a route; see `event` for what can be changed, and `now` for when it happens."""
        if now is not None:
            self.set_clock(name, now)
        return self.send(name, event(name, **changes))

    def invoke(self, name: str, payload: object, *, now: datetime | None = None, seconds: int = 15) -> Any:
        """Invoke a function that has none, with any payload, and so many seconds left."""
        module = load(name)
        if now is not None:
            self.set_clock(name, now)
        return module.handler(payload, Context(function_name(name), secrets.token_hex(8), seconds=seconds))

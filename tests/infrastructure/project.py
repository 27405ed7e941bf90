"""The project as data: its functions, its template as it is written and as SAM expands it."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.functions import load
from tools import expansion

ROOT = Path(__file__).parents[2]

COMPILED = {
    "claim_code",
    "get_leaderboard",
    "get_me",
    "get_race",
    "get_wager_leaderboard",
    "join_race",
    "leave_race",
    "list_races",
    "spin_wheel",
}
"""The handlers whose statements are compiled beforehand. They import no SQLAlchemy: `test_cold_starts`."""

type Resources = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Function:
    """A Lambda function: its file in functions/, and what has the same name elsewhere."""

    domain: str
    name: str

    @property
    def id(self) -> str:
        """The logical id in the template."""
        return "".join(word.capitalize() for word in self.name.split("_")) + "Function"

    @property
    def resource(self) -> dict[str, Any]:
        """The properties in the template, without those of Globals."""
        properties: dict[str, Any] = template()[self.id]["Properties"]
        return properties

    @property
    def who(self) -> str | None:
        """Whom the handler is for; None if it has no route."""
        api = getattr(load(self.name), "api", None)
        return None if api is None else str(api.who)

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The properties of the template's events of a kind that invoke it."""
        return [event["Properties"] for event in self.resource.get("Events", {}).values() if event["Type"] == kind]

    @property
    def is_in_network(self) -> bool:
        """Whether it is in the VPC, where the database is and the internet is not."""
        return "VpcConfig" not in self.resource

    @property
    def template_routes(self) -> set[str]:
        """The routes in the template, such as `GET /v1/races/{id}`."""
        return {f"{route['Method']} {route['Path']}" for route in self.events("HttpApi")}

    @property
    def handler_routes(self) -> set[str]:
        """The routes in the decorators of the handler."""
        api = getattr(load(self.name), "api", None)
        routes = [] if api is None else [*api._static_routes, *api._dynamic_routes]
        return {f"{route.method} {route.openapi_path}" for route in routes}

    @property
    def sample(self) -> dict[str, Any]:
        """The sample event in events/."""
        event: dict[str, Any] = json.loads((ROOT / "events" / f"{self.name}.json").read_text())
        return event


FUNCTIONS = [Function(file.parent.name, file.stem) for file in sorted((ROOT / "functions").glob("*/*.py"))]


@functools.cache
def document() -> dict[str, Any]:
    """Return template.yaml, parsed."""
    return expansion.read()


def template() -> Resources:
    """Return the resources of template.yaml, as written."""
    resources: Resources = document()["Resources"]
    return resources


def of_type(resources: Resources, kind: str) -> Resources:
    """Return the resources of a type."""
    return {name: resource for name, resource in resources.items() if resource["Type"] == kind}


@functools.cache
def expanded() -> Resources:
    """Return the resources that CloudFormation gets, as SAM expands the template."""
    resources: Resources = expansion.expand(document())["Resources"]
    return resources

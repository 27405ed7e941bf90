"""Reads template.yaml with SAM CLI: functions with their environment, routes, authorizers, CORS and schedules."""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.pool import Function
from local.stand_ins.push.key import PUBLIC_KEY
from local.worker import ACCOUNT, REGION

os.environ["SAM_CLI_TELEMETRY"] = "0"

from samcli.lib.providers.api_provider import ApiProvider
from samcli.lib.providers.provider import Api
from samcli.lib.providers.sam_function_provider import SamFunctionProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

ROOT = Path(__file__).resolve().parent.parent
# The value of `!Ref AWS::NoValue`. SAM CLI fails on an `!If` with a branch that has no value.
FEED_BUCKET = "FeedBucket"
"""The bucket's logical id, to which SAM CLI resolves its name."""
NO_VALUE = "AWS::NoValue"
# SAM CLI warns about every intrinsic function that only AWS can resolve.
logging.getLogger("samcli").setLevel(logging.ERROR)


OWNER = "postgres"
"""The owner of the local database, as whom migrations connect."""
CONTAINER_HOST = "host.docker.internal"
"""The name by which a Docker container calls the machine that it runs on."""
SHORTEST_NOTIFICATIONS_TIMEOUT = "15"
"""In seconds, for runs of send_notifications for which a developer waits. It looks for mail in the first 5."""


class TemplateError(SystemExit):
    """The template cannot be served safely; the text says why. Uncaught, it ends the program."""


@dataclass(frozen=True)
class Schedule:
    """A schedule of a function: when it is invoked, and with which input."""

    name: str
    function: str
    expression: str
    input: str


@dataclass(frozen=True)
class Cors:
    """The CORS configuration of the HTTP API."""

    origins: tuple[str, ...] = ()
    methods: str = ""
    headers: str = ""
    exposed: str = ""
    max_age: str = ""
    credentials: bool = False


@dataclass(frozen=True)
class Rule:
    """An EventBridge rule of a function."""

    function: str
    """The logical id."""
    pattern: dict[str, Any]


@dataclass(frozen=True)
class Template:
    """The parts of template.yaml that the local platform needs."""

    file: Path
    functions: list[Function]
    api: Api
    cors: Cors
    schedules: list[Schedule]
    rules: list[Rule]
    # Seconds for which API Gateway caches an authorizer's answer, by the authorizer's name.
    authorizer_seconds: dict[str, int] = field(default_factory=dict)

    def function(self, name: str) -> Function:
        """Find a function by its logical id, or by its file's name, as in `spin_wheel`."""
        for function in self.functions:
            if name in (function.name, function.file.stem):
                return function
        names = ", ".join(sorted(function.file.stem for function in self.functions))
        raise TemplateError(f"There is no function {name!r}. There are: {names}.")


def build_parameters(database_url: str, base_url: str, chosen: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the values of the template's parameters on this machine.

    Parameters
    ----------
    database_url: `postgresql://…` of the server that functions use.
    base_url: of the local API, which is also the URL of the stand-ins.
    chosen: environment variables by which a developer chooses some of the values.

    """
    match = re.fullmatch(r"postgresql://[^@]*@([^:/]+):(\d+)/(\w+)", database_url)
    if match is None:
        raise TemplateError(f"Not the URL of a PostgreSQL database: {database_url}")
    host, port, name = match.groups()
    values = {
        "DatabaseHost": host,
        "ClusterHost": host,
        "MigrationUser": OWNER,
        "DatabasePort": port,
        "DatabaseName": name,
        "DatabaseIam": "false",
        "AllowedOrigins": chosen.get("ALLOWED_ORIGINS", "http://localhost:5173,http://127.0.0.1:5173"),
        "AppUrl": chosen.get("APP_URL", ""),
        "MailFrom": "GoatedVIPs <hello@goatedvips.example>",
        "MailEndpoint": base_url,
        "MailRate": "14",
        "MailTenant": "",
        "OriginSecret": "",
        "DomainName": "",
        "StaffAddress": "staff@goatedvips.example",
        "PushPublicKey": PUBLIC_KEY,
        "VerifiedEmailRequired": chosen.get("VERIFIED_EMAIL_REQUIRED", "false"),
        "LegacyApp": chosen.get("LEGACY_APP", "false"),
        "QueryLog": chosen.get("QUERY_LOG", "false"),
        "NotificationsTimeout": "60",
        "FeedLeastPercent": "80",
    } | build_stand_in_parameters(base_url, chosen)
    for name in ("VERIFIED_EMAIL_REQUIRED", "LEGACY_APP", "QUERY_LOG"):
        if chosen.get(name, "false") not in {"true", "false"}:
            raise TemplateError(f"{name} must be true or false, not {chosen[name]!r}.")
    return values


def build_stand_in_parameters(base_url: str, chosen: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the values of the parameters that say where the stand-ins for what is outside the VPC are.

    Parameters
    ----------
    base_url: of the stand-ins.
    chosen: as in `build_parameters`.

    """
    return {
        "AffiliateApiUrl": chosen.get("AFFILIATE_API_URL") or f"{base_url}/affiliate/feed",
        "PushServicesUrl": chosen.get("PUSH_SERVICES_URL") or f"{base_url}/push-services",
        "S3Endpoint": f"{base_url}/s3",
        "SecretsEndpoint": f"{base_url}/secrets",
    }


def build_container_parameters(
    database_port: int, api_port: int, chosen: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the values of the template's parameters for functions in Docker containers on this machine.

    Parameters
    ----------
    database_port, api_port: where `make run` listens. Links in mail lead to its pages, for the browser on this machine.
    chosen: as in `parameters`.

    """
    database_url = f"postgresql://api@{CONTAINER_HOST}:{database_port}/goatedvips"
    values = build_parameters(database_url, f"http://{CONTAINER_HOST}:{api_port}", chosen)
    return values | {
        "AppUrl": values["AppUrl"] or f"http://127.0.0.1:{api_port}",
        "NotificationsTimeout": SHORTEST_NOTIFICATIONS_TIMEOUT,
    }


def load(values: Mapping[str, str], base_url: str, file: Path = ROOT / "template.yaml") -> Template:
    """Read the template with the given values of its parameters.

    Raises
    ------
    TemplateError: SAM CLI dropped the authorizer of a route that has one in the template.

    """
    overrides = {"AWS::Region": REGION, "AWS::AccountId": ACCOUNT, NO_VALUE: NO_VALUE, **values}
    stacks, _ = SamLocalStackProvider.get_stacks(str(file), parameter_overrides=overrides)
    resources: dict[str, Any] = stacks[0].resources
    functions = list(_functions(stacks, file.parent, base_url))
    api = ApiProvider(stacks, cwd=str(file.parent)).api
    gateway: dict[str, Any] = next(
        (r["Properties"] for r in resources.values() if r["Type"] == "AWS::Serverless::HttpApi"), {}
    )
    auth = gateway.get("Auth") or {}
    _refuse_unguarded_routes(api, resources, auth.get("DefaultAuthorizer"))
    return Template(
        file=file,
        functions=functions,
        api=api,
        cors=_cors(gateway.get("CorsConfiguration")),
        schedules=list(_schedules(resources)),
        rules=[
            Rule(function, event.get("Pattern") or {}) for function, _, event in _events(resources, "EventBridgeRule")
        ],
        authorizer_seconds={
            name: int((authorizer.get("Identity") or {}).get("ReauthorizeEvery") or 0)
            for name, authorizer in (auth.get("Authorizers") or {}).items()
        },
    )


def _functions(stacks: Any, root: Path, base_url: str) -> Iterator[Function]:  # noqa: ANN401
    for function in SamFunctionProvider(stacks, use_raw_codeuri=True).get_all():
        module, attribute = str(function.handler).rsplit(".", 1)
        given = (function.environment or {}).get("Variables") or {}
        variables = {name: _text(value) for name, value in given.items() if value != NO_VALUE}
        if "API_URL" in variables:  # on AWS, the URL that API Gateway assigns
            variables["API_URL"] = base_url
        yield Function(
            name=function.name,
            file=root / str(function.codeuri) / f"{module}.py",
            attribute=attribute,
            timeout=int(function.timeout or 3),
            memory=int(function.memory or 128),
            variables=variables,
            layers=tuple((root / layer.codeuri).resolve() for layer in function.layers),
        )


def _text(value: object) -> str:
    """Return an environment variable's value as CloudFormation passes it; empty if only AWS can resolve it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


def _events(resources: dict[str, Any], kind: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield logical id of the function, name and properties of each event of a type."""
    for function, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::Function":
            for name, event in (resource["Properties"].get("Events") or {}).items():
                if event["Type"] == kind:
                    yield function, name, event.get("Properties") or {}


def _refuse_unguarded_routes(api: Api, resources: dict[str, Any], default: str | None) -> None:
    """Refuse a template if SAM CLI silently dropped an authorizer, because it would serve the routes to anyone."""
    guarded = {(route.path, method) for route in api.routes if route.authorizer_object for method in route.methods}
    for function, _, event in _events(resources, "HttpApi"):
        wanted = (event.get("Auth") or {}).get("Authorizer", default)
        method, path = str(event.get("Method", "")).upper(), event.get("Path")
        if wanted not in (None, "NONE") and (path, method) not in guarded:
            raise TemplateError(
                f"{method} {path} ({function}) would be served without its authorizer {wanted}: "
                "name it as !GetAtt <function>.Arn, which SAM CLI resolves."
            )


def _schedules(resources: dict[str, Any]) -> Iterator[Schedule]:
    for function, name, event in _events(resources, "ScheduleV2"):
        if event.get("State", "ENABLED") == "ENABLED":
            yield Schedule(name, function, str(event["ScheduleExpression"]), str(event.get("Input") or "{}"))


def _cors(given: object) -> Cors:
    if not isinstance(given, dict):
        return Cors(origins=("*",), methods="*", headers="*") if given else Cors()
    return Cors(
        origins=tuple(_listed(given.get("AllowOrigins"))),
        methods=",".join(_listed(given.get("AllowMethods"))),
        headers=",".join(name.lower() for name in _listed(given.get("AllowHeaders"))),
        exposed=",".join(name.lower() for name in _listed(given.get("ExposeHeaders"))),
        max_age=str(given.get("MaxAge", "")),
        credentials=str(given.get("AllowCredentials", "")).lower() == "true",
    )


def _listed(value: object) -> list[str]:
    """Return the texts of a list; SAM CLI passes a parameter of type CommaDelimitedList as one text."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return [part.strip() for text in parts for part in str(text).split(",") if part.strip()]

"""samconfig.toml: `sam local` leads to the servers of `make run` from inside a container."""

import tomllib
from typing import Any
from urllib.parse import urlsplit

import pytest
from samcli.cli.types import CfnParameterOverridesType

from goatedvips.postgres_server import LOCAL_HOSTS
from local.ports import API_PORT
from local.run import POSTGRES_PORT
from local.template import build_container_parameters, load
from tests.infrastructure.project import ROOT, document

LOOPBACK = {"localhost", "127.0.0.1", "::1", "0.0.0.0"}  # noqa: S104  the names, nothing listens
URLS_FROM_THE_CONTAINER = {"DATABASE_URL", "AWS_ENDPOINT_URL_SESV2", "PUSH_SERVICES_URL"}
CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text())["default"]

each_command = pytest.mark.parametrize("command", ["local_invoke", "local_start_api"])


def parameters(command: str) -> dict[str, Any]:
    """The section of a command."""
    section: dict[str, Any] = CONFIG[command]["parameters"]
    return section


def overrides(command: str) -> dict[str, str]:
    """The values of the template's parameters, parsed as SAM CLI parses them."""
    given = parameters(command)["parameter_overrides"]
    parsed: dict[str, str] = CfnParameterOverridesType().convert(given, None, None)
    return parsed


def references(value: object) -> set[str]:
    """The names that `!Ref` and `!Sub` of a part of the template name."""
    if isinstance(value, list):
        return {name for item in value for name in references(item)}
    if isinstance(value, dict):
        named = {str(value["Ref"])} if "Ref" in value else set()
        if isinstance(text := value.get("Fn::Sub"), str):
            named |= {part.partition("}")[0] for part in text.split("${")[1:]}
        return named | {name for item in value.values() for name in references(item)}
    return set()


@each_command
def test_containers_get_the_values_that_make_sam_invoke_gives_at_the_usual_ports(command: str) -> None:
    assert overrides(command) == build_container_parameters(POSTGRES_PORT, API_PORT, {})


@each_command
def test_every_parameter_that_an_environment_names_has_a_value(command: str) -> None:
    environments = [document()["Globals"]["Function"]["Environment"]["Variables"]]
    environments += [
        resource["Properties"]["Environment"]["Variables"]
        for resource in document()["Resources"].values()
        if "Environment" in resource.get("Properties", {})
    ]
    needed = references(environments) & set(document()["Parameters"])
    assert len(needed) > 8
    assert needed <= set(overrides(command))


@each_command
def test_every_host_of_an_environment_is_this_machine_as_a_container_sees_it(command: str) -> None:
    functions = load(overrides(command), "").functions
    urls = {
        function.variables[name] for function in functions for name in URLS_FROM_THE_CONTAINER & set(function.variables)
    }
    hosts = {urlsplit(url).hostname for url in urls}
    assert len(urls) > 1
    assert hosts <= LOCAL_HOSTS  # to all others the database connection needs TLS
    assert not hosts & LOOPBACK  # in a container that is the container
    named = {entry.partition(":")[0] for entry in parameters(command)["add_host"]}
    assert hosts <= named  # Docker Engine on Linux knows no name of its machine by itself


@each_command
def test_containers_do_not_ask_for_the_network_of_the_host(command: str) -> None:
    """SAM CLI 1.170 ignores `docker_network = "host"`."""
    assert "docker_network" not in parameters(command)


def test_the_api_has_a_port_that_make_run_does_not_use() -> None:
    assert parameters("local_start_api")["port"] not in {API_PORT, POSTGRES_PORT}


def test_the_architecture_is_the_one_of_the_build() -> None:
    """The default of the built template says what was built, so no command may override it."""
    assert document()["Parameters"]["Architecture"]["Default"] == "arm64"
    assert document()["Globals"]["Function"]["Architectures"] == [{"Ref": "Architecture"}]
    layer = document()["Resources"]["SharedLayer"]
    assert layer["Metadata"]["BuildArchitecture"] == {"Ref": "Architecture"}
    assert set(layer["Properties"]["CompatibleArchitectures"]) == set(
        document()["Parameters"]["Architecture"]["AllowedValues"]
    )
    assert not any("Architecture" in overrides(command) for command in ("local_invoke", "local_start_api"))

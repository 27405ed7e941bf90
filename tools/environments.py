"""The environments in samconfig.toml."""

import sys
import tomllib
from pathlib import Path
from typing import Any

CONFIG = Path(__file__).resolve().parent.parent / "samconfig.toml"


def stack_name(environment: str) -> str:
    """Return the name of an environment's stack; end the program with a sentence if there is no such environment."""
    return str(_parameters(environment)["stack_name"])


def architecture(environment: str) -> str:
    """Return the processor of an environment's functions; the sentence is as above."""
    given = dict(override.split("=", 1) for override in _parameters(environment)["parameter_overrides"])
    return str(given.get("Architecture", "arm64"))


def _parameters(environment: str) -> dict[str, Any]:
    config = tomllib.loads(CONFIG.read_text())
    environments: dict[str, dict[str, Any]] = {
        name: section["deploy"]["parameters"]
        for name, section in config.items()
        if isinstance(section, dict) and "deploy" in section
    }
    if environment not in environments:
        sys.exit(f"ENV={environment} is no environment of samconfig.toml. There are: {', '.join(environments)}.")
    return environments[environment]

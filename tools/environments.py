"""The environments in samconfig.toml."""

import sys
import tomllib
from pathlib import Path

CONFIG = Path(__file__).resolve().parent.parent / "samconfig.toml"


def stack_name(environment: str) -> str:
    """Return the name of an environment's stack; end the program with a sentence if there is no such environment."""
    config = tomllib.loads(CONFIG.read_text())
    stacks = {
        name: str(section["deploy"]["parameters"]["stack_name"])
        for name, section in config.items()
        if isinstance(section, dict) and "deploy" in section
    }
    if environment not in stacks:
        sys.exit(f"ENV={environment} is no environment of samconfig.toml. There are: {', '.join(stacks)}.")
    return stacks[environment]

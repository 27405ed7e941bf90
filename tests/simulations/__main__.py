"""`make simulate WHAT=wheel SIZE=1000 SEED=7`: run a simulation on a database of its own, and print its summary.

Each module of this folder that has a function `run` is a simulation. It asserts what must hold, and returns a summary.
Tests run the same simulations in a small size.
"""

import importlib
import secrets
import sys
import tempfile
import time
from pathlib import Path

from tests.support import stack

ROOT = Path(__file__).parents[2]
DATABASE = "simulated"


def names() -> list[str]:
    """Return the modules of this folder that are simulations."""
    files = sorted(Path(__file__).parent.glob("[!_]*.py"))
    return [file.stem for file in files if "\ndef run(" in file.read_text()]


def main(name: str, size: str, seed: str) -> None:
    """Run a simulation.

    Parameters
    ----------
    size: how many of its things are simulated, such as members.
    seed: of the pseudo-random choices; empty: a random one. The same seed gives the same choices.
    """
    if name not in names():
        sys.exit(f"There is no simulation {name!r}. There are: {', '.join(names())}.")
    number = int(seed) if seed else secrets.randbelow(2**32)
    print(f"simulating {name}: SIZE={size} SEED={number}", flush=True)
    sys.path.append(str(ROOT / "docs"))  # the published verifier, as pyproject.toml has it for pytest
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="goatedvips-simulation-") as folder, stack.run(Path(folder)) as servers:
        stack.copy(servers, DATABASE)
        stack.configure(servers, DATABASE)
        simulation = importlib.import_module(f"tests.simulations.{name}")
        print(simulation.run(servers, DATABASE, size=int(size), seed=number))
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])

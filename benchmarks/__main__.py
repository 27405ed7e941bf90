"""`make bench WHAT=imports`: run a benchmark by its name."""

import runpy
import sys
from pathlib import Path

ENTRY = 'if __name__ == "__main__":'


def names() -> list[str]:
    """Return the modules of this folder that can be run."""
    files = sorted(Path(__file__).parent.glob("[!_]*.py"))
    return [file.stem for file in files if ENTRY in file.read_text()]


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in names():
        sys.exit(f"There is no benchmark {name!r}. There are: {', '.join(names())}.")
    del sys.argv[1]
    runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)

"""How long each handler takes to import, the greatest part of a cold start that is ours (`make bench`).

Measured is a whole process: Python starts, imports the handler and ends. What counts is the time that it computes,
nearly all of it, in the least disturbed of several rounds, since what else the machine does can only add. Who seems to
be above a limit is measured again. Beside it, in the same run and in turns, stand

* the floor: a process that imports the same third-party modules and nothing else, and
* the naive handler of `benchmarks/naive_handler.py`.

All have bytecode, as on Lambda; a first round, not counted, writes it. The status is 1 when a handler is above a limit.
`make bench ARGS="spin_wheel get_me"` measures those alone.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = int(os.environ.get("ROUNDS", "5"))
AGAIN = 2
MOST_OF_FLOOR, MOST_OF_NAIVE = 1.15, 0.5

# Prints the third-party modules that an import brought, in their order.
LIST_MODULES = """
import sys
__import__(sys.argv[1])
for name, module in list(sys.modules.items()):
    file = getattr(module, "__file__", None) or ""
    if "site-packages" in file and getattr(module.__spec__, "name", None) == name:
        print(name)
"""


def main(chosen: list[str]) -> int:
    """Measure, print a table, and return the process's status."""
    handlers = [file for file in sorted((ROOT / "functions").glob("*/*.py")) if not chosen or file.stem in chosen]
    if unknown := set(chosen) - {file.stem for file in handlers}:
        sys.exit(f"There is no function {', '.join(sorted(unknown))}.")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        environment = lambda_environment(place)
        floors: dict[str, str] = {}  # by what they import: many handlers have the same
        floor_of: dict[str, str] = {}
        for handler in handlers:
            listed = subprocess.check_output(
                [sys.executable, "-c", LIST_MODULES, handler.stem], env=environment, text=True
            )
            floor = floor_of[handler.stem] = floors.setdefault(listed, f"floor_{len(floors)}")
            (place / f"{floor}.py").write_text("".join(f"import {name}\n" for name in listed.split()))
        times = measure(["benchmarks.naive_handler", *floor_of, *floors.values()], environment)
        for _ in range(AGAIN):
            for name in [name for name, floor in floor_of.items() if is_above(times, name, floor)]:
                for module, least in measure([name, floor_of[name]], environment).items():
                    times[module] = min(times[module], least)
    return report(floor_of, times)


def lambda_environment(place: Path) -> dict[str, str]:
    """Return the variables of a process that finds the layer, the handlers and what is made for this run."""
    folders = [place, ROOT, ROOT / "shared", *sorted(path for path in (ROOT / "functions").iterdir() if path.is_dir())]
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "PYTHONPYCACHEPREFIX": str(place / "bytecode"),
        "DATABASE_URL": "postgresql://api@127.0.0.1:5432/goatedvips",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "POWERTOOLS_SERVICE_NAME": "goatedvips",
        "POWERTOOLS_METRICS_NAMESPACE": "GoatedVIPs",
    }


def measure(modules: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Return the least milliseconds of a process that imports each module; rounds go through all of them in turn."""
    taken: dict[str, list[float]] = {module: [] for module in modules}
    for number in range(ROUNDS + 1):
        for module in modules:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", f"import {module}"], env=environment, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if number > 0:
                seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                taken[module].append(seconds * 1000)
    return {module: min(values) for module, values in taken.items()}


def is_above(times: dict[str, float], name: str, floor: str) -> bool:
    """Whether a handler takes longer to import than it may."""
    return times[name] > times[floor] * MOST_OF_FLOOR or times[name] > times["benchmarks.naive_handler"] * MOST_OF_NAIVE


def report(floor_of: dict[str, str], times: dict[str, float]) -> int:
    """Print what was measured, the limits and who is above them."""
    naive = times["benchmarks.naive_handler"]
    print(f"{'import of':24}{'ms':>8}{'floor':>8}{'÷ floor':>9}{'÷ naive':>9}   (least of {ROUNDS})")
    failed = False
    for name, least in floor_of.items():
        taken, floor = times[name], times[least]
        above = is_above(times, name, least)
        failed |= above
        print(f"{name:24}{taken:8.0f}{floor:8.0f}{taken / floor:9.2f}{taken / naive:9.2f}{'   above' if above else ''}")
    print(f"{'naive':24}{naive:8.0f}\nlimits: {MOST_OF_FLOOR} of the floor, {MOST_OF_NAIVE} of the naive handler")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

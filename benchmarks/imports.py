"""How long each handler takes to import: most of the part of a cold start that this project decides (`make bench`).

A whole process is measured: Python starts, imports the handler and ends. The floor is a process that imports only the
same third-party modules. `benchmarks.cold_start` compares with other things.

With Valgrind on the machine the instructions of the processes are counted, which other work cannot disturb: two runs
differ by less than 0.1 %. Without it their CPU time is measured: the minimum of several rounds, and a handler above the
limit is measured again.

All have bytecode, as on Lambda; a first process, which is not measured, writes it. The status is 1 if a handler is
above the limit. The authorizer imports no third-party module: `benchmarks.cold_start` measures it. `make bench
ARGS="spin_wheel get_me"` measures only these.
"""

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from goatedvips import OBJECTS_BEFORE_FIRST_COLLECTION

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = int(os.environ.get("ROUNDS", "3"))
REPETITIONS = 4
VALGRIND = shutil.which("valgrind")
MAX_FLOOR_RATIO = 1.2
"""An import also makes the engine and compiles a statement; the floor's garbage collector rests as a handler's does."""

# The floor treats the garbage collector as `goatedvips/__init__.py` does.
BEFORE_FLOOR = f"import gc\ngc.set_threshold({OBJECTS_BEFORE_FIRST_COLLECTION})\n"
AFTER_FLOOR = "gc.freeze()\n"

# Prints the third-party modules that an import loads, in their order.
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
    files = [file for file in sorted((ROOT / "functions").glob("*/*.py")) if file.stem != "authorize"]
    handlers = [file for file in files if not chosen or file.stem in chosen]
    if unknown := set(chosen) - {file.stem for file in handlers}:
        sys.exit(f"There is no function {', '.join(sorted(unknown))}.")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        environment = lambda_environment(place)
        floors: dict[str, str] = {}  # by the list of modules, which many handlers share
        floor_of: dict[str, str] = {}
        for handler in handlers:
            listed = subprocess.check_output(
                [sys.executable, "-c", LIST_MODULES, handler.stem], env=environment, text=True
            )
            floor = floor_of[handler.stem] = floors.setdefault(listed, f"floor_{len(floors)}")
            imports = "".join(f"import {name}\n" for name in listed.split())
            (place / f"{floor}.py").write_text(BEFORE_FLOOR + imports + AFTER_FLOOR)
        times = measure([*floor_of, *floors.values()], environment)
        for _ in range(REPETITIONS if VALGRIND is None else 0):
            for name in [name for name, floor in floor_of.items() if is_above(times, name, floor)]:
                for module, least in measure([name, floor_of[name]], environment).items():
                    times[module] = min(times[module], least)
    return report(floor_of, times)


def lambda_environment(place: Path) -> dict[str, str]:
    """Return the environment variables of a process that can import the layer, the handlers and the floors."""
    folders = [place, ROOT, ROOT / "shared", *sorted(path for path in (ROOT / "functions").iterdir() if path.is_dir())]
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "PYTHONPYCACHEPREFIX": str(place / "bytecode"),
        "DATABASE_URL": "postgresql://api@127.0.0.1:5432/goatedvips",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "PYTHONHASHSEED": "0",
        "POWERTOOLS_SERVICE_NAME": "goatedvips",
        "POWERTOOLS_METRICS_NAMESPACE": "GoatedVIPs",
    }


def measure(modules: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Return what the import of each module costs: millions of instructions if Valgrind is there, else milliseconds."""
    for module in modules:  # writes the bytecode
        subprocess.run([sys.executable, "-c", f"import {module}"], env=environment, check=True)
    if VALGRIND is None:
        return measure_time(modules, environment)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(modules, pool.map(partial(count_instructions, environment), modules), strict=True))


def count_instructions(environment: dict[str, str], module: str) -> float:
    """Return the millions of instructions of a process that imports a module."""
    command = [str(VALGRIND), "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable]
    done = subprocess.run(
        [*command, "-c", f"import {module}"], env=environment, capture_output=True, text=True, check=True
    )
    (counted,) = re.findall(r"Collected : (\d+)", done.stderr)
    return int(counted) / 1e6


def measure_time(modules: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Return the fewest milliseconds of a process that imports each module; a round measures each of them once."""
    taken: dict[str, list[float]] = {module: [] for module in modules}
    for _ in range(ROUNDS):
        for module in modules:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", f"import {module}"], env=environment, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            taken[module].append(seconds * 1000)
    return {module: min(values) for module, values in taken.items()}


def is_above(times: dict[str, float], name: str, floor: str) -> bool:
    """Whether a handler takes longer to import than it may."""
    return times[name] > times[floor] * MAX_FLOOR_RATIO


def report(floor_of: dict[str, str], times: dict[str, float]) -> int:
    """Print the results, the limit and which handlers are above it; return the process's status."""
    unit = "ms" if VALGRIND is None else "Minstr"
    print(f"{'import of':24}{unit:>8}{'floor':>8}{'÷ floor':>9}")
    failed = False
    for name, least in floor_of.items():
        taken, floor = times[name], times[least]
        above = is_above(times, name, least)
        failed |= above
        print(f"{name:24}{taken:8.0f}{floor:8.0f}{taken / floor:9.2f}{'   above' if above else ''}")
    print(f"limit: {MAX_FLOOR_RATIO} of the floor")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

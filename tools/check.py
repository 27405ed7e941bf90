"""`make check`: static checks of the project, as many at a time as there are cores.

`make check ARGS="mypy cfn-lint"` runs only these.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from database.embedded import running

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(sys.executable).parent
ENVIRONMENT = os.environ | {
    "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
    "AWS_DEFAULT_REGION": "us-east-1",
    "SAM_CLI_TELEMETRY": "0",
}

# Returns what is wrong, or an empty text.
type Check = Callable[[], str]


def command(*words: str, **variables: str) -> Check:
    """Return a check that runs a program of the environment; it fails if the program's status is not 0."""
    return lambda: run(*words, **variables)


def run(program: str, *words: str, **variables: str) -> str:
    """Run a program of the environment; return its output if it failed, else an empty text."""
    done = subprocess.run(
        [str(PROGRAMS / program), *words],
        cwd=ROOT,
        env=ENVIRONMENT | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout or f"status {done.returncode}"


def requirements() -> str:
    """Compare the layers' requirements with uv.lock."""
    layers = {
        "shared/requirements.txt": ("--no-dev",),
        "shared/requirements-affiliate.txt": ("--only-group", "affiliate"),
        "shared/requirements-markdown.txt": ("--only-group", "markdown"),
        "shared/requirements-push.txt": ("--only-group", "push"),
        "migrations/requirements.txt": (
            *("--only-group", "migrations", "--prune", "sqlalchemy", "--prune", "typing-extensions"),
        ),
    }
    for name, chosen in layers.items():  # as the Makefile has it
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / Path(name).name
            export = ("export", "--quiet", "--locked", *chosen, "--no-header", "--no-annotate")
            if failure := run("uv", *export, "--output-file", str(file)):
                return failure
            if file.read_text() != (ROOT / name).read_text():
                return f"{name} is not what uv.lock says: `make requirements` writes it."
    return ""


def migrations() -> str:
    """Compare the schema that the migrations make with the models, on a temporary database."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), durable=False) as server:
        url = server.url("postgres")
        failure = run("python", "-m", "migrations.upgrade", DATABASE_URL=url, PYTHONPATH="shared")
        return failure or run("alembic", "check", DATABASE_URL=url)


# The longest first.
CHECKS: dict[str, Check] = {
    "sam-validate": command("sam", "validate", "--lint"),
    "mypy": command("mypy"),
    "sam-build": command("python", "-m", "local.sam.build"),
    "cfn-lint": command("cfn-lint", "template.yaml"),
    "openapi": command("python", "-m", "tools.openapi", "--check"),
    "statements": command("python", "-m", "tools.statements", "--check"),
    "alembic-check": migrations,
    "requirements": requirements,
    "ruff-check": command("ruff", "check", "--quiet"),
    "ruff-format": command("ruff", "format", "--check", "--quiet"),
}


def main(chosen: list[str]) -> int:
    """Run the checks, print a line for each and the output of those that failed; return the process's status."""
    if unknown := set(chosen) - CHECKS.keys():
        sys.exit(f"There is no check {', '.join(sorted(unknown))}. There are: {', '.join(CHECKS)}.")
    failures: dict[str, str] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = {pool.submit(timed, CHECKS[name]): name for name in chosen or CHECKS}
        for done in as_completed(waiting):
            name, (output, seconds) = waiting[done], done.result()
            print(f"{'FAILED' if output else 'ok':6} {seconds:5.1f} s  {name}", flush=True)  # noqa: T201
            if output:
                failures[name] = output
    for name, output in failures.items():
        print(f"\n── {name} ──\n{output.rstrip()}")  # noqa: T201
    return 1 if failures else 0


def timed(check: Check) -> tuple[str, float]:
    """Run a check; return its output and its seconds. An error in the check itself is a failure too."""
    started = time.monotonic()
    try:
        output = check()
    except (OSError, SystemExit) as error:
        output = str(error)
    return output, time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

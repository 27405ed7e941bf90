"""What is done while a handler is imported, and is then not done while somebody waits."""

import subprocess
import sys

from tests.infrastructure.project import FUNCTIONS, ROOT

HANDLERS = {f.name: str(ROOT / "functions" / f.domain / f"{f.name}.py") for f in FUNCTIONS}
VARIABLES = {"PYTHONPATH": str(ROOT / "shared"), "DATABASE_URL": "postgresql://api@127.0.0.1:1/nowhere"}


def run(program: str, *arguments: str) -> str:
    """Run a program in a process of its own, which has imported nothing yet; return what it printed."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=VARIABLES, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_collector_searches_nothing_while_a_handler_is_imported() -> None:
    program = """
import gc, sys
sys.path.insert(0, sys.argv[1])
gc.collect()
before = gc.get_stats()
import goatedvips
import spin_wheel
print([now["collections"] - then["collections"] for now, then in zip(gc.get_stats(), before)], gc.get_freeze_count())
"""
    collections, _, frozen = run(program, str(ROOT / "functions" / "wheel")).strip().rpartition(" ")
    assert collections == "[0, 0, 0]"
    assert int(frozen) > 50_000


def test_the_collector_runs_as_usual_after_each_handler_is_imported() -> None:
    program = """
import gc, runpy, sys
usual = gc.get_threshold()
import goatedvips
for file in sys.argv[1:]:
    gc.set_threshold(123_456)
    runpy.run_path(file)
    if not gc.isenabled() or gc.get_threshold() != usual:
        sys.exit(f"after {file}: {gc.get_threshold()}")
"""
    run(program, *HANDLERS.values())

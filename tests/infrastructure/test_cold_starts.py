"""What is done while a handler is imported, and is then not done while somebody waits."""

import subprocess
import sys
from pathlib import Path

import pytest

from goatedvips import light_db
from tests.infrastructure.project import COMPILED, FUNCTIONS, ROOT
from tests.support.functions import load

HANDLERS = {f.name: str(ROOT / "functions" / f.domain / f"{f.name}.py") for f in FUNCTIONS}
# What a handler with compiled statements may import beside Python's own modules. Powertools imports the bare botocore.
LIGHT_PACKAGES = {
    "annotated_types",
    "aws_lambda_powertools",
    "botocore",
    "goatedvips",
    "jmespath",
    "pydantic",
    "pydantic_core",
    "typing_extensions",
    "typing_inspection",
}
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


@pytest.mark.parametrize("name", sorted(COMPILED))
def test_a_handler_with_compiled_statements_imports_neither_sqlalchemy_nor_pg8000(name: str) -> None:
    program = """
import runpy, sys
before = set(sys.modules)
runpy.run_path(sys.argv[1])
print(*set(sys.modules) - before)
"""
    modules = run(program, HANDLERS[name]).split()
    packages = {module.partition(".")[0] for module in modules}
    assert packages - set(sys.stdlib_module_names) - {"_sysconfigdata__linux_x86_64-linux-gnu"} <= LIGHT_PACKAGES
    assert "goatedvips.light_db" in modules
    own = {module for module in modules if module.startswith("goatedvips.")}
    assert not [module for module in own if module.startswith(("goatedvips.models", "goatedvips.db"))]


def test_each_handler_uses_one_edge_to_the_database_and_gives_it_to_its_api() -> None:
    """With another one an Idempotency-Key would be stored outside the transaction of its effect."""
    for function in FUNCTIONS:
        text = Path(HANDLERS[function.name]).read_text()
        is_light = "light_db" in text
        assert is_light == (function.name in COMPILED), function.name
        assert not is_light or "goatedvips.db" not in text, function.name
        api = getattr(load(function.name), "api", None)
        assert api is None or api.database is (light_db if is_light else None), function.name

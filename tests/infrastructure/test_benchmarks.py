"""Benchmarks: documents name those that there are, and what they measure with does what it says."""

import re
import sys
from pathlib import Path

import pytest

from benchmarks import builds
from benchmarks.__main__ import names
from benchmarks.report import Line, show, show_all
from benchmarks.runtime import InvocationFailed, Runtime
from tests.infrastructure.project import ROOT

DOCUMENTS = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks" / "README.md"]
TABLE = (ROOT / "benchmarks" / "README.md").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_benchmark_that_a_document_names_is_there(document: Path) -> None:
    assert set(re.findall(r"make bench WHAT=([a-z_]+)", document.read_text())) <= set(names())


def test_every_benchmark_is_in_the_table() -> None:
    assert len(names()) > 7
    assert {name for name in names() if f"\n| `{name}` |" not in TABLE} == set()


@pytest.mark.parametrize(
    ("measured", "at_least", "fails"),
    [
        (0.8, False, False),
        (1.0, False, False),
        (1.1, False, True),
        (0.8, True, True),
        (1.0, True, False),
        (None, True, False),
    ],
)
def test_a_line_fails_beyond_its_limit(measured: float | None, at_least: bool, fails: bool) -> None:
    line = Line("speed", measured, 1.0, at_least=at_least)
    assert line.fails is fails
    assert show(line) is fails


def test_one_missed_limit_does_not_hide_the_lines_after_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_all([Line("slow", 2.0, 1.0), Line("fast", 0.5, 1.0)])
    slow, fast = capsys.readouterr().out.splitlines()
    assert slow.endswith("MISSED")
    assert "MISSED" not in fast


def test_a_clone_without_the_baseline_builds_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(builds, "BASELINE", "0" * 40)
    monkeypatch.setattr(builds, "build", lambda name, *_: builds.Build(name, ROOT, tmp_path, tmp_path))
    with builds.build_both(tmp_path) as made:
        assert [build.name for build in made] == ["this build"]
    assert "lacks the baseline's commit 0000000" in capsys.readouterr().out


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if sys.platform != "linux":
        pytest.skip("awslambdaric, Lambda's runtime client, has wheels only for Linux")
    return builds.copy_runtime_client(tmp_path_factory.mktemp("client"))


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    (tmp_path / "work.py").write_text(
        "import time\n\ndef handler(event, _):\n    end = time.process_time() + event['seconds']\n"
        "    while time.process_time() < end:\n        pass\n"
        "    return {'did': event['seconds'], 'text': 'é' * 70000}\n"
    )
    (tmp_path / "broken.py").write_text("import a_package_of_the_environment_that_the_layer_lacks\n")
    return tmp_path


def test_the_processor_time_of_an_answer_is_the_handlers(functions: Path, client: Path) -> None:
    with Runtime(functions, "work.handler", [client], {}) as runtime:
        idle, busy, idle_again = (runtime.invoke({"seconds": seconds}) for seconds in (0, 0.2, 0))
        assert busy.answer == {"did": 0.2, "text": "é" * 70000}
        assert 0.2 <= busy.cpu < 0.4
        assert idle.cpu < 0.1
        assert idle_again.cpu < 0.1
        assert 0 < runtime.started_cpu < runtime.cpu - 0.2
        assert 5 < runtime.memory <= runtime.peak_memory < 100


def test_a_process_sees_only_its_folders_and_a_failed_handler_is_named(functions: Path, client: Path) -> None:
    with Runtime(functions, "work.handler", [client], {}) as runtime, pytest.raises(InvocationFailed, match="KeyError"):
        runtime.invoke({})
    with (
        Runtime(functions, "broken.handler", [client], {}) as runtime,
        pytest.raises(InvocationFailed, match="layer_lacks"),
    ):
        runtime.invoke({})
    (functions / "broken.py").write_text("import sqlalchemy\n")  # the environment of the tests has it
    with (
        Runtime(functions, "broken.handler", [client], {}) as runtime,
        pytest.raises(InvocationFailed, match="sqlalchemy"),
    ):
        runtime.invoke({})
    assert not list(functions.rglob("__pycache__"))

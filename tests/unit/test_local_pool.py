"""The pool of worker processes."""

from pathlib import Path
from typing import Any

import pytest

from local.pool import Function, FunctionError, Pool

CODE = "def handler(event, context):\n    return event\n"


@pytest.fixture
def function(tmp_path: Path) -> Function:
    file = tmp_path / "code" / "work.py"
    file.parent.mkdir()
    file.write_text(CODE)
    return Function("WorkFunction", file, "handler", timeout=10, memory=128, variables={}, layers=())


def test_a_worker_that_fails_to_start_gives_its_slot_back(
    function: Function, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool([function], tmp_path / "log", limit=1)
    failures = [OSError("Resource temporarily unavailable"), EOFError()]
    start = pool._context.Process.start

    def fail_at_first(process: Any) -> None:
        if failures:
            raise failures.pop(0)
        start(process)

    monkeypatch.setattr(pool._context.Process, "start", fail_at_first)
    try:
        for _ in range(2):
            with pytest.raises(FunctionError, match=r"Runtime\.StartError"):
                pool.invoke("WorkFunction", 1)
        assert pool.invoke("WorkFunction", 1) == 1
    finally:
        pool.stop()

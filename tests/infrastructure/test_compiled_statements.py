"""The file of compiled statements matches the code, and its parameters are what the authorizer gives."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from goatedvips.domain.accounts import authentication, compiled_sessions
from tools import statements

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def test_the_file_is_up_to_date() -> None:
    assert statements.FILE.read_text() == statements.compiled(), "`make statements` writes it"


def test_each_statement_is_bound_to_what_the_authorizer_gives() -> None:
    given = {
        compiled_sessions.FIND_LIVE: authentication.live_parameters("token", NOW),
        compiled_sessions.RECORD_USE: authentication.use_parameters(1, 2, NOW),
    }
    for (text, names), parameters in given.items():
        assert set(names) == set(parameters)
        assert [f"${number}" in text for number in range(1, len(names) + 2)] == [*[True] * len(names), False]


def test_a_value_that_the_file_would_lose_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    column: sa.ColumnClause[bool] = sa.column("flag", sa.Boolean)
    monkeypatch.setattr(statements, "STATEMENTS", {"FIND": sa.select(column).where(column == sa.literal("yes"))})
    with pytest.raises(ValueError, match="FIND has a literal value"):
        statements.compiled()


def test_check_fails_if_the_file_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "compiled_sessions.py"
    monkeypatch.setattr(statements, "FILE", file)
    file.write_text("FIND_LIVE = None\n")
    assert statements.main(["--check"]) == 1
    assert "make statements" in capsys.readouterr().err
    assert statements.main([]) == 0
    assert statements.main(["--check"]) == 0

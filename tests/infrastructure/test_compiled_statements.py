"""The files of compiled statements match the code, and the parameters of the authorizer's are what it gives."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from goatedvips.compiled import Compiled
from goatedvips.domain import access
from goatedvips.domain.accounts import authentication, compiled_statements
from tools import statements

NOW = datetime(2026, 5, 1, tzinfo=UTC)
DOMAIN = statements.DOMAIN


@pytest.mark.parametrize("package", statements.FILES)
def test_the_file_is_up_to_date(package: str) -> None:
    text = statements.compiled(statements.FILES[package])
    assert statements.path(package).read_text() == text, "`make statements` writes it"


def test_every_file_is_one_that_the_tool_writes() -> None:
    assert {statements.path(package) for package in statements.FILES} == set(DOMAIN.rglob("compiled_statements.py"))


def test_each_statement_of_the_authorizer_is_bound_to_what_it_gives() -> None:
    given = {
        compiled_statements.FIND_LIVE: authentication.live_parameters("token", NOW),
        compiled_statements.RECORD_USE: authentication.use_parameters(1, 2, NOW),
    }
    for statement, parameters in given.items():
        names = statement.parameters
        assert set(names) == set(parameters)
        assert [f"${number}" in statement.text for number in range(1, len(names) + 2)] == [*[True] * len(names), False]


@pytest.mark.parametrize("package", statements.FILES)
def test_no_statement_pins_a_session_by_its_length_or_by_its_parameters(package: str) -> None:
    for statement in entries(statements.compiled(statements.FILES[package])):
        assert len(statement.text.encode()) < 16 * 1024
        placeholders = {int(number) for number in re.findall(r"\$(\d+)", statement.text)}
        assert placeholders == set(range(1, len(statement.parameters) + 1))


def entries(text: str) -> list[Compiled]:
    """Return the statements of a file."""
    namespace: dict[str, object] = {}
    exec(text, namespace)  # noqa: S102 - the tool made it
    return [value for value in namespace.values() if isinstance(value, Compiled)]


def test_a_statement_s_own_values_are_literals_in_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    column: sa.ColumnClause[str] = sa.column("kind", sa.Text)
    statement = sa.select(column).where(column == "it's").limit(1).execution_options(commit_in_flight=True)
    monkeypatch.setattr(access, "find", statement, raising=False)
    (found,) = entries(statements.compiled(("access.find",)))
    assert "kind = 'it''s'" in found.text
    assert "LIMIT 1" in found.text
    assert found.parameters == ()
    assert found.commit_in_flight
    assert not found.commit_enclosing


def test_a_value_that_has_no_literal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    column: sa.ColumnClause[bytes] = sa.column("octets", sa.LargeBinary)
    monkeypatch.setattr(access, "find", sa.select(column).where(column == b"\xff"), raising=False)
    with pytest.raises((ValueError, sa.exc.CompileError)):
        statements.compiled(("access.find",))


def test_check_fails_if_a_file_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(statements, "DOMAIN", tmp_path)
    monkeypatch.setattr(statements, "FILES", {"": statements.FILES["accounts"]})
    (tmp_path / "compiled_statements.py").write_text("FIND_LIVE = None\n")
    assert statements.main(["--check"]) == 1
    assert "make statements" in capsys.readouterr().err
    assert statements.main([]) == 0
    assert statements.main(["--check"]) == 0

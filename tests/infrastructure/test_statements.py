"""Rules for every statement of the domain.

RDS Proxy pins the session of a statement that is longer than 16 KB.  And no parameter may silently be taken for a
column: SQLAlchemy writes an execution parameter that is named like a column of the table that is updated, or inserted
into by VALUES, into that column: silently where that is the executed statement; inside a CTE the execution then fails.
"""

import importlib
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import BindParameter, ClauseElement, Executable, Insert, Update
from sqlalchemy.dialects.postgresql.dml import OnConflictDoNothing
from sqlalchemy.sql import visitors

from goatedvips import domain
from goatedvips.domain.access import Caller
from goatedvips.models.every import metadata
from goatedvips.postgres import OneFlightDialect
from tests.infrastructure.project import ROOT

MODULES = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(domain.__path__, f"{domain.__name__}.")
    if not module.ispkg
]


def statements(value: object) -> Iterator[Executable]:
    """Yield a statement, or the statements in a list."""
    if isinstance(value, Executable):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from statements(part)


NAMED = {
    f"{module.__name__.removeprefix('goatedvips.domain.')}.{name}{f'[{number}]' if number else ''}": statement
    for module in MODULES
    for name, value in vars(module).items()
    for number, statement in enumerate(statements(value))
}
STATEMENTS = [pytest.param(statement, id=name) for name, statement in NAMED.items()]
ALWAYS = set(Caller(1, 2, "3").parameters(datetime.now(UTC)))


def parts(statement: Executable) -> Iterator[visitors.ExternallyTraversible]:
    """Yield every element of a statement, those of its CTEs included."""
    seen: set[int] = set()
    waiting: list[visitors.ExternallyTraversible] = [statement]  # type: ignore[list-item]
    while waiting:
        part = waiting.pop()
        if id(part) not in seen:
            seen.add(id(part))
            yield part
            waiting.extend(part.get_children())
            waiting.extend(getattr(part, "_independent_ctes", ()))
            waiting.extend(element for element in [getattr(part, "element", None)] if element is not None)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_no_parameter_is_named_like_a_column_that_is_written(statement: Executable) -> None:
    found = list(parts(statement))
    names = ALWAYS | {part.key for part in found if isinstance(part, BindParameter)}
    for part in found:
        if isinstance(part, Update) or (isinstance(part, Insert) and part.select is None):
            columns = set(part.table.c.keys())
            assert not names & columns, part.table


@pytest.mark.parametrize("statement", STATEMENTS)
def test_no_statement_pins_a_session_by_its_length(statement: ClauseElement) -> None:
    assert len(str(statement.compile(dialect=OneFlightDialect())).encode()) < 16 * 1024


DATABASE_CLOCK = re.compile(r"\b(now|\w+_timestamp)\(|\b(current_|local)(date|time)", re.IGNORECASE)
FILLED_BY_DATABASE_CLOCK = {
    table.name: {column.name for column in table.columns if "now()" in str(getattr(column.server_default, "arg", ""))}
    for table in metadata.sorted_tables
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_no_statement_reads_or_stores_the_database_s_clock(statement: ClauseElement) -> None:
    """Every instant is a parameter, so that it follows the clock of the function that executes the statement."""
    text = str(statement.compile(dialect=OneFlightDialect()))
    assert not DATABASE_CLOCK.search(text)
    for table, columns in re.findall(r"INSERT INTO (\w+) (?:AS \w+ )?\(([^)]*)\)", text):
        assert FILLED_BY_DATABASE_CLOCK[table] <= set(re.findall(r"\w+", columns)), table


def test_the_database_s_clock_is_noticed() -> None:
    for text in ("select now()", "SELECT CURRENT_TIMESTAMP", "clock_timestamp()", "LOCALTIMESTAMP(0)", "current_date"):
        assert DATABASE_CLOCK.search(text), text
    assert not DATABASE_CLOCK.search("SELECT known, last_date, nowhere FROM now")
    assert FILLED_BY_DATABASE_CLOCK["users"] == {"created_at"}


def test_the_statements_are_found() -> None:
    assert len(MODULES) >= 40
    assert len(STATEMENTS) >= 100
    assert any(isinstance(part, Update) for parameter in STATEMENTS for part in parts(parameter.values[0]))  # type: ignore[arg-type]


# Two unique keys of one address: the statement returns whether it inserted, and what met neither key runs again.
WITHOUT_TARGET = {"newsletter.subscriptions._subscribe", "newsletter.subscriptions._confirmation"}


def test_an_ignored_conflict_has_a_target() -> None:
    """Without a target a clash of ids is ignored too, as if the name or the code were taken."""
    ignored = {
        name: [
            part._post_values_clause.inferred_target_elements or part._post_values_clause.constraint_target
            for part in parts(statement)
            if isinstance(part, Insert) and isinstance(part._post_values_clause, OnConflictDoNothing)
        ]
        for name, statement in NAMED.items()
    }
    assert sum(map(len, ignored.values())) >= 6
    without = {name for name, targets in ignored.items() if None in targets}
    assert without == WITHOUT_TARGET


# A table, the only module that inserts into it, and at least how many statements do so with that module's CTEs.
OWNERS = {
    "outbox": ("notifications.outbox", 5),
    "notifications": ("notifications.outbox", 3),
    "rewards": ("rewards.ledger", 1),
}
# Notes for each insert which module of the domain builds it, whatever the names of the table and of `insert` are there.
BUILDERS = """
import importlib, json, pkgutil, sys
from sqlalchemy.sql import dml
from goatedvips import domain

builders = {}
build = dml.Insert.__init__

def note_builder(insert, table):
    frame = sys._getframe(1)
    while not frame.f_globals["__name__"].startswith("goatedvips."):
        frame = frame.f_back
    builders.setdefault(table.name, set()).add(frame.f_globals["__name__"].removeprefix("goatedvips.domain."))
    build(insert, table)

dml.Insert.__init__ = note_builder
for module in pkgutil.walk_packages(domain.__path__, "goatedvips.domain."):
    importlib.import_module(module.name)
print(json.dumps({table: sorted(modules) for table, modules in builders.items()}))
"""


def test_each_of_these_tables_has_one_module_that_inserts_into_it() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", BUILDERS], env={"PYTHONPATH": str(ROOT / "shared")}, capture_output=True, check=True
    ).stdout
    builders = json.loads(printed)
    assert {table: builders[table] for table in OWNERS} == {table: [module] for table, (module, _) in OWNERS.items()}


@pytest.mark.parametrize("table", OWNERS)
def test_a_compiled_statement_inserts_into_these_tables_only_by_their_modules(table: str) -> None:
    module, fewest = OWNERS[table]
    compiled = {
        name: str(statement.compile(dialect=OneFlightDialect()))  # type: ignore[attr-defined]
        for name, statement in NAMED.items()
    }
    inserting = {name for name, text in compiled.items() if f"INSERT INTO {table} " in text}
    assert len(inserting) >= fewest
    source = (ROOT / "shared/goatedvips/domain" / f"{module.replace('.', '/')}.py").read_text()
    (cte_prefix,) = set(re.findall(r"cte\(f\"(\w+_)\{", source))
    for name in inserting:
        assert compiled[name].count(f"INSERT INTO {table} ") == len(
            re.findall(rf"\b{cte_prefix}\w+ AS \s*\(INSERT INTO {table} ", compiled[name])
        ), name

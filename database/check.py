"""`make db-check`: what is wrong with a database, and which rows need a person's decision. It changes nothing.

The status is 0 where there is nothing to do, 1 where there is something, 2 where the database could not be looked at.
`ARGS=--all` names every row; without it the first of each kind are named and the others counted.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from sqlalchemy import Connection, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from database.checks.differences import differences
from database.checks.finding import FIRST, Command, Finding, named
from database.checks.questions import Question, Undecided, answer
from database.checks.reconciliation import differences as unreconciled
from database.checks.revision import lost
from database.checks.rights import (
    Login,
    Owned,
    functions_roles,
    login_of,
    rights,
    sequences_of_others,
    tables_of,
    unalterable_roles,
)
from database.checks.rows import questions
from database.checks.schema import (
    added,
    elsewhere,
    emptied,
    guide,
    in_the_way,
    machinery,
    refusing,
    sequences_behind,
    steps,
)
from database.checks.settings import clocks, unusable_settings
from database.connection import UnreachableError, connected, is_pooled
from database.target import chosen
from goatedvips.models import every
from goatedvips.postgres_errors import message
from migrations.session import without_limits


class State(Enum):
    """How far a database has come."""

    EMPTY = "nothing of the platform is in it"
    GUIDE = "it is the guide's, not adopted yet"
    BEHIND = "its schema is behind"
    NEWEST = "its schema is the newest"
    UNKNOWN = "its schema is unknown to this checkout"
    LOST = "its revision is missing"
    ELSEWHERE = "the guide's tables are in another schema"


@dataclass(slots=True)
class Report:
    """What was found in a database."""

    login: Login
    state: State
    revision: str | None
    tables: list[Owned]
    obstacles: list[Finding] = field(default_factory=list)
    """What prevents an adoption, an upgrade, or the functions' work."""
    remarks: list[Finding] = field(default_factory=list)
    """Everything else that was found."""
    undecided: list[Undecided] = field(default_factory=list)

    @property
    def is_in_order(self) -> bool:
        """Whether there is nothing to do."""
        is_decided = all(kind.is_note for kind in self.undecided)
        return is_decided and all(finding.is_harmless for finding in self.obstacles + self.remarks)


def look(connection: Connection) -> Report:
    """Check a database in one read-only transaction."""
    connection.rollback()
    connection.execute(text("SET TRANSACTION READ ONLY"))
    connection.execute(without_limits(is_local=True))
    login = login_of(connection)
    # The tables are in the schema public, whatever the login's search path has before it.
    connection.execute(text("SET LOCAL search_path TO public"))
    tables = tables_of(connection)
    state, revision = _state(connection, tables)
    missing = lost(connection) if state in {State.EMPTY, State.GUIDE} else None
    moved = elsewhere(connection) if state is State.EMPTY and missing is None else None
    state = State.LOST if missing else State.ELSEWHERE if moved else state
    report = Report(login, state, revision, tables)
    report.obstacles += [*rights(login, tables), *sequences_of_others(connection, login)]
    report.obstacles += [*filter(None, (missing, moved)), *unusable_settings(connection)]
    if state is not State.NEWEST:
        report.obstacles += unalterable_roles(connection, login)
    report.remarks += _progress(report)
    report.remarks += clocks(connection, login, is_adopted=report.revision is not None)
    if report.state not in {State.EMPTY, State.LOST, State.ELSEWHERE}:
        _compare(connection, report)
        _decide(connection, report)
    if report.state is State.NEWEST and not report.obstacles:
        report.undecided += unreconciled(connection)
    return report


def _state(connection: Connection, tables: list[Owned]) -> tuple[State, str | None]:
    readable = {table.name: table.is_readable for table in tables}
    if not readable.get("alembic_version", True):
        return State.UNKNOWN, None
    if "alembic_version" in readable:
        found = sorted(connection.scalars(text("SELECT version_num FROM alembic_version")))
        revisions = [step.revision for step in steps().walk_revisions()]
        if found == revisions[:1]:
            return State.NEWEST, revisions[0]
        if found:
            revision = ", ".join(found)
            return (State.BEHIND if revision in revisions else State.UNKNOWN), revision
    return (State.EMPTY if guide().tables.keys().isdisjoint(readable) else State.GUIDE), None


def _progress(report: Report) -> Iterator[Finding]:
    """Yield the next step for a database whose schema is not the newest."""
    match report.state, report.revision:
        case State.EMPTY, _:
            yield Finding(report.state.value, "`make db-upgrade` makes the tables", Command.MAKE_TABLES)
        case State.GUIDE, _:
            yield Finding(
                report.state.value, "`make db-adopt` does that, and says beforehand what will happen", Command.ADOPT
            )
        case State.BEHIND, at:
            yield Finding(
                f"{report.state.value}, at {at}",
                "`make db-adopt` goes on with an adoption that was cut off, `make db-upgrade` with any other",
                Command.GO_ON,
            )
        case State.UNKNOWN, None:
            yield Finding(f"{report.login.name} may not read alembic_version", "connect as the owner of the tables")
        case State.UNKNOWN, at if at and "," in at:
            known = [step.revision for step in steps().walk_revisions() if step.revision in at.split(", ")]
            others = f"DELETE FROM alembic_version WHERE version_num <> '{known[0]}'" if known else ""  # noqa: S608
            yield Finding(
                f"{report.state.value}, {at}",
                f"only one can be: {others}" if known else "only one can be, and this checkout knows none of them",
                Command.KEEP_ONE_REVISION if known else None,
            )
        case State.UNKNOWN, at:
            yield Finding(f"{report.state.value}, {at}", "take a newer checkout, or see that this database is meant")


def _compare(connection: Connection, report: Report) -> None:
    """Compare the schema with the declared one; if it is behind, compare only the guide's tables."""
    is_newest = report.state is State.NEWEST
    findings = [*differences(connection, every.metadata if is_newest else guide())]
    findings += [*added(connection), *refusing(connection)]
    if is_newest:
        report.obstacles += machinery(connection)
        report.obstacles += emptied(connection, {table.name for table in report.tables if table.is_readable})
        report.remarks += functions_roles(connection, report.login)
    elif report.state is State.GUIDE:
        findings += in_the_way(connection, guide())
        findings += sequences_behind(connection, "the adoption moves it forward", is_harmless=True)
    for finding in findings:
        (report.remarks if finding.is_harmless else report.obstacles).append(finding)


def _decide(connection: Connection, report: Report) -> None:
    """Find the rows that need a decision, in the tables that exist and are readable."""
    inspector = inspect(connection)
    readable = {table.name for table in report.tables if table.is_readable} & guide().tables.keys()
    columns = {name: {column["name"] for column in inspector.get_columns(name)} for name in readable}
    asked = [
        question
        for question in questions(guide(), columns, keyed=report.state is State.NEWEST)
        if question.table in columns and question.needs <= columns[question.table]
    ]
    try:
        with connection.begin_nested():
            report.undecided += [found for question in asked for found in answer(connection, question)]
    except DBAPIError:
        _decide_one_by_one(connection, report, asked)
    report.undecided.sort(key=lambda kind: [*guide().tables].index(kind.table))


def _decide_one_by_one(connection: Connection, report: Report, asked: list[Question]) -> None:
    """Find the rows of each question, and report the questions that fail."""
    for question in asked:
        try:
            with connection.begin_nested():
                report.undecided += answer(connection, question)
        except DBAPIError as error:  # such as a column of another type, which has a line of its own
            what = f"{question.table} could not be searched for {' or '.join(kind.what for kind in question.kinds)}"
            report.remarks.append(Finding(what, message(error.orig)))


def lines(report: Report, *, first: int | None = FIRST) -> Iterator[str]:
    """Yield the lines of a report.

    Parameters
    ----------
    first: how many rows of a kind are named; all when absent.
    """
    login = report.login
    rank = "a superuser" if login.is_superuser else "with CREATEROLE" if login.creates_roles else "without CREATEROLE"
    yield f"PostgreSQL {login.version}, database {login.database}, time zone {login.zone}, as {login.name}, {rank}"
    yield f"revision {report.revision or 'none'}: {report.state.value}"
    for finding in report.obstacles:
        yield f"MEND    {finding.line(first)}"
    for finding in report.remarks:
        yield f"{'note' if finding.is_harmless else 'DO':7} {finding}"
    for kind in report.undecided:
        rows = [str(id_) if other is None else f"{id_} (like {other})" for id_, other in kind.rows]
        yield f"{'note' if kind.is_note else 'DECIDE':7} {kind.table}: {kind.what}: {named(rows, first)}: {kind.do}"


def looked_at(url: str) -> tuple[Report, bool]:
    """Check the database with this URL; also return whether the connection goes through a pooler.

    Raises
    ------
    UnreachableError: it could not be looked at; the text says why.
    """
    try:
        with connected(url) as connection:
            return look(connection), is_pooled(connection)
    except SQLAlchemyError as error:
        raise UnreachableError(message(getattr(error, "orig", error)).splitlines()[0]) from error


def check(url: str, *, first: int | None = FIRST) -> int:
    """Print the report; return the process's exit status."""
    shown = make_url(url).render_as_string(hide_password=True)
    try:
        report, pooled = looked_at(url)
    except UnreachableError as error:
        print(f"{shown} could not be looked at: {error}")
        return 2
    print(shown, *lines(report, first=first), sep="\n")
    if pooled:
        print("note    a pooler is in between: give changes the server's own address")
    if report.is_in_order:
        print("Nothing to do.")
    return int(not report.is_in_order)


@contextmanager
def read_to_the_end() -> Iterator[None]:
    """Exit without a traceback if the reader of the output closes it, as `| head` does."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else it is flushed once more at the end
        sys.exit(1)


def main() -> None:
    """Check the database that DATABASE_URL names, or the local one."""
    logging.basicConfig(level=logging.WARNING)
    try:
        with chosen() as url, read_to_the_end():
            status = check(url, first=None if "--all" in sys.argv[1:] else FIRST)
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
    sys.exit(status)


if __name__ == "__main__":
    main()

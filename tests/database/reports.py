"""What a check of a database reports, and its commands run as they are printed, for the tests that read it."""

import re
from enum import Enum
from itertools import count

from database.adopt import adopt
from database.check import Report, looked_at
from database.upgrade import upgrade
from migrations.upgrade import engine

_VERB = "ALTER|CREATE|DELETE|DROP|GRANT|INSERT|REINDEX|REVOKE|SELECT|SET|UPDATE"
_COMMAND = re.compile(rf"(?:^|, or |: |; then )((?:{_VERB}) .*|`make db-\w+`)")
_WORDS_BEHIND = re.compile(
    r", (?:or|if|and see|as a superuser|connect anew|a new key|then look again)\b|; then `| gives it| sets it right"
)
_numbers = count()


def reported(url: str) -> list[str]:
    """What a look at the database finds, a line each, without what is only told."""
    report, _ = looked_at(url)
    return [str(finding) for finding in report.obstacles + report.remarks if not finding.is_harmless]


def decisions(report: Report) -> dict[str, list[int]]:
    """The rows that need a decision."""
    return {
        f"{kind.table}: {kind.what}": [id_ for id_, _ in kind.rows] for kind in report.undecided if not kind.is_note
    }


def notes(report: Report) -> dict[str, list[int]]:
    """The rows that are only listed."""
    return {f"{kind.table}: {kind.what}": [id_ for id_, _ in kind.rows] for kind in report.undecided if kind.is_note}


def whats(report: Report) -> set[str]:
    """What the lines say that have something to do, but for those of rows."""
    return {finding.what for finding in report.obstacles + report.remarks if not finding.is_harmless}


def kinds(report: Report) -> set[Enum]:
    """The kinds of the commands that the lines have."""
    of_lines = {finding.kind for finding in report.obstacles + report.remarks if not finding.is_harmless}
    return {kind for kind in of_lines | {rows.command for rows in report.undecided} if kind}


def commands(do: str) -> list[str]:
    """The statements of a line, or `make db-…`; none where it has words only. `…` stands for a name of one's own."""
    found = _COMMAND.search(do)
    if found is None:
        return []
    return _WORDS_BEHIND.split(found[1].replace("…", f"renamed_{next(_numbers)}"))[0].split("; ")


def follow(report: Report, url: str, superuser_url: str) -> set[str]:
    """Run the commands of each line that has some; return what these lines say.

    A line whose kind is unknown must have none.
    """
    lines = [(each.what, each.do, each.kind) for each in report.obstacles + report.remarks if not each.is_harmless]
    lines += [(rows.what, rows.do, rows.command) for rows in report.undecided if rows.command or not rows.is_note]
    followed = set()
    for what, do, kind in lines:
        found = commands(do)
        assert bool(found) == (kind is not None), (what, do, kind)
        if found == ["`make db-upgrade`"]:
            upgrade(url)
        elif found == ["`make db-adopt`"]:
            adopt(url)
        elif found:
            with engine(superuser_url).connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                for statement in found:
                    connection.exec_driver_sql(statement)
        followed |= {what} if found else set()
    return followed

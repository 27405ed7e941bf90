"""`make statements`: writes the statements of handlers that import no SQLAlchemy, compiled by SQLAlchemy.

`--check` writes nothing and fails if a file differs from what would be written.
"""

import importlib
import sys
from pathlib import Path
from typing import Any, override

from sqlalchemy import BindParameter, Executable
from sqlalchemy.dialects.postgresql.base import PGCompiler

from goatedvips import domain
from goatedvips.postgres import OneFlightDialect

DOMAIN = Path(domain.__path__[0])
FILES: dict[str, tuple[str, ...]] = {
    "": (
        "access.select_reasons",
        "idempotency_statements.claim_for_member",
        "idempotency_statements.claim_for_staff",
        "idempotency_statements.store_answer",
    ),
    "codes": (
        "codes.claim_statements.claim_code",
        "codes.claim_statements.insert_failed_claim",
        "codes.claim_statements.select_reason",
    ),
    "wheel": (
        "wheel.seed_statements.insert_seeds",
        "wheel.spin_statements.lock_active_seed",
        "wheel.spin_statements.record_loss",
        "wheel.spin_statements.record_win",
        "wheel.spin_statements.select_todays_spin",
    ),
    "races": (
        "races.leaderboard_statements.select_first_page",
        "races.leaderboard_statements.select_later_page",
        "races.participation_statements.join_race",
        "races.participation_statements.select_race_and_participation",
        "races.participation_statements.leave_race",
        "races.race_statements.select_races",
        "races.race_statements.select_upcoming_races",
        "races.race_statements.select_live_races",
        "races.race_statements.select_completed_races",
        "races.race_statements.select_cancelled_races",
        "races.race_statements.select_race",
    ),
    "wagers/leaderboards": tuple(
        f"wagers.leaderboards.leaderboard_statements.select_{page}_page_of_{period}"
        for period in ("today", "week", "month", "all_time")
        for page in ("first", "later")
    ),
    "accounts": ("accounts.sessions.find_live", "accounts.sessions.record_use", "accounts.profiles.select_me"),
}
"""The packages of the domain that have a file (empty: the kernel), and the statements in it with their modules."""

_DOCSTRING = '''"""Statements of the domain, as SQLAlchemy compiles them.

`make statements` writes this file.  Each statement stands with the names of its parameters in the order of $1 ….
"""

from goatedvips.compiled import Compiled
'''


class _Compiler(PGCompiler):
    """Writes the values that a statement has of its own as literals."""

    @override
    def visit_bindparam(self, bindparam: BindParameter[Any], *arguments: Any, **options: Any) -> str:
        if bindparam.value is not None and not bindparam.callable:
            options["literal_binds"] = True
        return super().visit_bindparam(bindparam, *arguments, **options)  # type: ignore[no-untyped-call, no-any-return]


class _Dialect(OneFlightDialect):
    statement_compiler = _Compiler
    supports_statement_cache = False


def path(package: str) -> Path:
    """Return the file of a package."""
    return DOMAIN / package / "compiled_statements.py"


def compiled(names: tuple[str, ...]) -> str:
    """Return the text of the file with these statements.

    Raises
    ------
    ValueError: a statement has a parameter with a value of its own that has no literal, which the file would lose.
    """
    return "\n".join([_DOCSTRING, *(_entry(name) for name in names)])


def _entry(source: str) -> str:
    module, _, name = source.rpartition(".")
    statement: Executable = getattr(importlib.import_module(f"goatedvips.domain.{module}"), name)
    form = statement.compile(dialect=_Dialect())  # type: ignore[attr-defined]
    if lost := [bind.key for bind in form.bind_names if bind.value is not None and bind.key in form.positiontup]:
        raise ValueError(f"{source} would lose the values of {lost}")
    options = statement.get_execution_options()
    flags = [flag for flag in ("commit_in_flight", "commit_enclosing") if options.get(flag)]
    lines = [line.strip() for line in str(form).splitlines()]
    return (
        f'{name.upper()} = Compiled(\n    "{source}",\n    """\\\n'
        + "\n".join(lines)
        + f'""",\n    {_tuple(form.positiontup or [])},\n'
        + "".join(f"    {flag}=True,\n" for flag in flags)
        + ")\n"
    )


def _tuple(names: list[str]) -> str:
    """Return the source of a tuple, as the formatter leaves it."""
    if len(names) <= 1:
        return f"({''.join(f'"{name}",' for name in names)})"
    return "(\n" + "".join(f'        "{name}",\n' for name in names) + "    )"


def main(arguments: list[str]) -> int:
    """Write the files, or compare them; return the process's status."""
    outdated = []
    if "--check" not in arguments:
        for package in FILES:  # the modules of the domain import them
            path(package).touch()
    for package, names in FILES.items():
        text, target = compiled(names), path(package)
        if not target.exists() or target.read_text("utf-8") != text:
            outdated.append(target)
            if "--check" not in arguments:
                target.write_text(text, "utf-8")
    if "--check" not in arguments or not outdated:
        return 0
    for target in outdated:
        sys.stderr.write(f"{target} is not what the code says: `make statements` writes it.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

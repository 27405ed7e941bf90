"""`make statements`: writes the statements that the authorizer sends, compiled by SQLAlchemy.

`--check` writes nothing and fails if the file differs from what would be written.
"""

import sys
from pathlib import Path

from sqlalchemy import Executable

from goatedvips.domain.accounts import sessions
from goatedvips.postgres import OneFlightDialect

FILE = Path(sessions.__file__).with_name("compiled_sessions.py")
STATEMENTS: dict[str, Executable] = {"FIND_LIVE": sessions.find_live, "RECORD_USE": sessions.record_use}

_DOCSTRING = '''"""Statements of `goatedvips.domain.accounts.sessions`, as SQLAlchemy compiles them.

`make statements` writes this file.  Each statement stands with the names of its parameters in the order of $1 ….
"""
'''


def compiled() -> str:
    """Return the file's text.

    Raises
    ------
    ValueError: a statement has a parameter with a value of its own, which the file would lose.
    """
    parts = [_DOCSTRING]
    for name, statement in STATEMENTS.items():
        form = statement.compile(dialect=OneFlightDialect())  # type: ignore[attr-defined]
        if any(bind.value is not None for bind in form.bind_names):
            raise ValueError(f"{name} has a literal value that is not in its text: write it with literal_column")
        lines = [line.strip() for line in str(form).splitlines()]
        names = "".join(f'        "{parameter}",\n' for parameter in form.positiontup)
        parts.append(f'{name} = (\n    """\\\n' + "\n".join(lines) + f'""",\n    (\n{names}    ),\n)\n')
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Write the file, or compare it; return the process's status."""
    text = compiled()
    if FILE.exists() and FILE.read_text("utf-8") == text:
        return 0
    if "--check" not in arguments:
        FILE.write_text(text, "utf-8")
        return 0
    sys.stderr.write(f"{FILE.name} is not what the code says: `make statements` writes it.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

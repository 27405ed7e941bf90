"""A finding of `db-check`, which becomes one line."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

FIRST = 20
"""Rows of a kind that are named without `--all`."""


class Command(Enum):
    """The commands that lines have, by what they do. A test runs each of them as it is printed, and looks again.

    `FaultKind` and `DifferenceKind` name the faults for which the command is `make db-upgrade`.
    """

    MAKE_TABLES = auto()
    ADOPT = auto()
    GO_ON = auto()
    KEEP_ONE_REVISION = auto()
    RESTORE_REVISION = auto()
    MOVE_TABLES_TO_PUBLIC = auto()
    MOVE_TABLE_TO_PUBLIC = auto()
    MAKE_PUBLIC = auto()
    RENAME_TABLE = auto()
    MAKE_TABLE = auto()
    ADD_COLUMN = auto()
    RENAME_COLUMN = auto()
    SET_NOT_NULL = auto()
    ALTER_COLUMN = auto()
    ALTER_PRECISION = auto()
    LET_COLUMN_BE_NULL = auto()
    ADD_PRIMARY_KEY = auto()
    ADD_UNIQUE_KEY = auto()
    ADD_FOREIGN_KEY = auto()
    ADD_CHECK = auto()
    BUILD_INDEX = auto()
    COUNT_IDS = auto()
    MOVE_SEQUENCE = auto()
    VALIDATE_CONSTRAINT = auto()
    REBUILD_INDEX = auto()
    END_FORCED_ROW_SECURITY = auto()
    END_INHERITANCE = auto()
    IDENTIFY_ROWS = auto()
    DROP_RULE = auto()
    RUN_TRIGGER_AS_OWNER = auto()
    LOG_TABLES = auto()
    REPLACE_KEY = auto()
    RENAME_THEIR_COLUMN = auto()
    RENAME_THEIRS = auto()
    INSERT_FIRST_ROW = auto()
    GRANT_CREATE = auto()
    OWN_DATABASE = auto()
    CREATE_ROLES = auto()
    OWN_TABLES = auto()
    OWN_SEQUENCES = auto()
    READ_TABLES = auto()
    WRITE_AGAIN = auto()
    SET_TIME_ZONE = auto()
    RESET_TIME_ZONE_OF_ROLE = auto()
    LET_ALTER_ROLES = auto()
    RESET_SETTING = auto()
    GIVE_FREE_KEY = auto()
    MARK_SHELLS = auto()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as declared, and what to do about it."""

    what: str
    do: str
    kind: Enum | None = None
    """The kind of command in `do`; None: it has words only."""
    is_harmless: bool = False
    """It is only listed: the platform works with it."""
    broken_by: Sequence[object] = ()
    """The ids of the rows that prevent it."""

    def line(self, first: int | None = FIRST) -> str:
        """Return it in one line."""
        before = f"first see to what breaks it, {named(self.broken_by, first)}; then " if self.broken_by else ""
        return f"{self.what}: {before}{self.do}"

    def __str__(self) -> str:
        """Return it in one line."""
        return self.line()


def named(ids: Sequence[object], first: int | None) -> str:
    """Return the number of rows and their ids.

    Parameters
    ----------
    first: how many are named; all when absent.
    """
    rest = len(ids) - len(shown := ids[:first])
    count = "1 row" if len(ids) == 1 else f"{len(ids)} rows"
    return f"{count}, id {', '.join(map(str, shown))}{f', and {rest} more, which ARGS=--all names' if rest else ''}"

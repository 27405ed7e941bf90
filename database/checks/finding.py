"""A finding of `db-check`, which becomes one line."""

from collections.abc import Sequence
from dataclasses import dataclass

FIRST = 20
"""Rows of a kind that are named without `--all`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as declared, and what to do about it."""

    what: str
    do: str
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

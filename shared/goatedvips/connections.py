"""What a function of the domain needs of a connection if its statements are compiled beforehand.

Connections of `goatedvips.light_db` and of SQLAlchemy both have it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sqlalchemy import Executable


class Result[R](Protocol):
    """The rows of a statement."""

    def all(self) -> Sequence[R]:
        """Return all rows."""

    def one(self) -> R:
        """Return the only row."""

    def one_or_none(self) -> R | None:
        """Return the only row; None if there is none."""

    def scalar_one(self) -> Any:
        """Return the first value of the only row."""

    def scalar_one_or_none(self) -> Any:
        """Return the first value of the only row; None if there is none."""


class Connection[R](Protocol):
    """A connection, whose rows have the columns as attributes."""

    def execute(self, statement: "Executable", parameters: Mapping[str, object], /) -> Result[R]:
        """Execute a statement."""

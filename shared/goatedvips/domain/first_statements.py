"""Statements that are compiled while their handler is imported, so that no first request waits for it.

A domain module notes the statement with which its most frequent request begins.  `goatedvips.http.lambda_handler`
compiles the one that was noted last: a handler's own domain module is executed after the modules that it imports.  A
SnapStart snapshot contains the result.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sqlalchemy import Executable


class FirstStatement(NamedTuple):
    """A statement and the names of all parameters with which it is executed, also of those that it does not use."""

    statement: "Executable"
    parameters: tuple[str, ...]


noted: list[FirstStatement] = []


def compile_at_import(statement: "Executable", parameters: Iterable[str]) -> None:
    """Note a statement.

    Parameters
    ----------
    parameters: the names of all parameters with which it is executed; SQLAlchemy's cache compares them too.
    """
    noted.append(FirstStatement(statement, tuple(sorted(parameters))))

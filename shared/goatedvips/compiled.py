"""Statements that SQLAlchemy compiled beforehand, for handlers that do not import SQLAlchemy.

`make statements` writes them from statements of the domain (`tools/statements.py`).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Executable
else:
    Executable = object


class Compiled(Executable):
    """A compiled statement. Connections of `goatedvips.light_db` send its text.

    A connection of SQLAlchemy executes the statement that it was compiled from, so a function of the domain runs on
    both kinds of connection.

    Parameters
    ----------
    source: the module of the domain and the name of the statement in it, as in `wheel.spin_statements.record_win`.
    text: SQL with `$1` ….
    parameters: the names of these parameters in their order.
    commit_in_flight: whether COMMIT is sent in its round trip, unless it is enclosed (`enclosing_transaction`).
    commit_enclosing: whether COMMIT is sent in its round trip in any case.
    """

    __slots__ = ("commit_enclosing", "commit_in_flight", "parameters", "source", "text")

    def __init__(
        self,
        source: str,
        text: str,
        parameters: tuple[str, ...],
        *,
        commit_in_flight: bool = False,
        commit_enclosing: bool = False,
    ) -> None:
        self.source = source
        self.text = text
        self.parameters = parameters
        self.commit_in_flight = commit_in_flight
        self.commit_enclosing = commit_enclosing

    def build(self) -> Executable:
        """Return the statement that it was compiled from."""
        import importlib

        module, _, name = self.source.rpartition(".")
        built: Executable = getattr(importlib.import_module(f"goatedvips.domain.{module}"), name)
        return built

    def _execute_on_connection(self, connection: Any, distilled_params: Any, execution_options: Any) -> Any:
        """Be executed by SQLAlchemy, whose `Connection.execute` calls this method of every statement."""
        return self.build()._execute_on_connection(connection, distilled_params, execution_options)


class Bound(Executable):
    """A compiled statement with the values of its parameters."""

    __slots__ = ("statement", "values")

    def __init__(self, statement: Compiled, values: Mapping[str, object]) -> None:
        self.statement = statement
        self.values = values

    def _execute_on_connection(self, connection: Any, _: Any, execution_options: Any) -> Any:
        return self.statement._execute_on_connection(connection, [self.values], execution_options)

"""How PostgreSQL would run a statement that a function sends, with the values that it sends."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles


class _Explain(sa.Executable, sa.ClauseElement):
    inherit_cache = False

    def __init__(self, statement: sa.Executable, options: str = "FORMAT JSON") -> None:
        self.statement = statement
        self.wanted = options


@compiles(_Explain)
def _(element: _Explain, compiler: Any, **_: object) -> str:
    return f"EXPLAIN ({element.wanted}) {compiler.process(element.statement)}"


def fill(database: sa.Engine, *statements: str) -> None:
    """Change very many rows, past the triggers that see to each, and have statistics of them."""
    with database.connect() as connection:
        connection.execute(sa.text("SET session_replication_role = replica"))
        for statement in statements:
            connection.execute(sa.text(statement.replace(":", "\\:")))
        connection.execute(sa.text("SET session_replication_role = DEFAULT"))
        connection.execute(sa.text("VACUUM ANALYZE"))


def plan(url: str, statement: sa.Executable, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Every node of the plan, such as `{"Node Type": "Index Scan", "Relation Name": "users", …}`.

    Parameters
    ----------
    url: of the database, with the role that functions use.
    """
    from goatedvips import db  # noqa: PLC0415 - it reads settings that pytest_configure makes after this import

    engine = db.make_engine(url)
    with engine.connect() as connection:
        (found,) = connection.execute(_Explain(statement), parameters).scalar_one()
    engine.dispose()
    return list(_nodes(found["Plan"]))


def rows_read(url: str, statement: sa.Executable, parameters: dict[str, Any]) -> Counter[str]:
    """Execute a statement, roll it back, and return how many rows its scans read of each table.

    Rows that a filter removed count too.
    """
    from goatedvips import db  # noqa: PLC0415 - it reads settings that pytest_configure makes after this import

    engine = db.make_engine(url)
    explain = _Explain(statement, "ANALYZE, FORMAT JSON")
    with engine.connect() as connection:
        (found,) = connection.execute(explain, parameters).scalar_one()
    engine.dispose()
    return _count_rows(found)


class Requests:
    """What handlers send to the database while this is in use, and what the database reads for it."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._sent: list[tuple[str, Any]] = []

    def __enter__(self) -> Self:
        sa.event.listen(self._engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sa.event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, _: object, __: object, statement: str, parameters: Any, ___: object, ____: bool) -> None:
        self._sent.append((statement, parameters))

    def count(self) -> tuple[Counter[str], int]:
        """Execute the statements once more, roll them back, and return the rows read of each table, and the pages.

        A page of an index counts as often as it was read: a scan that finds few rows may read very many.
        """
        read: Counter[str] = Counter()
        pages = 0
        with self._engine.connect() as connection:
            for statement, parameters in self._sent:
                explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
                (found,) = connection.exec_driver_sql(explain, parameters).scalar_one()
                read += _count_rows(found)
                pages += found["Plan"]["Shared Hit Blocks"] + found["Plan"]["Shared Read Blocks"]
        return read, pages

    @property
    def statements(self) -> list[tuple[str, Any]]:
        """The statements, with their parameters as the driver got them."""
        return self._sent


def _count_rows(found: dict[str, Any]) -> Counter[str]:
    read: Counter[str] = Counter()
    for node in _nodes(found["Plan"]):
        if node["Node Type"].endswith("Scan") and "Relation Name" in node:
            removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            read[node["Relation Name"]] += round((node["Actual Rows"] + removed) * node["Actual Loops"])
    return read


def read_whole(nodes: list[dict[str, Any]]) -> set[str]:
    """The tables that a plan reads from one end to the other."""
    return {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)

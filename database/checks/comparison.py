"""The operations that alembic would do to a database, as findings with the SQL that repairs each difference."""

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from alembic.autogenerate import produce_migrations
from alembic.operations import Operations, ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Connection, Inspector, MetaData
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.schema import CreateColumn
from sqlalchemy.sql.ddl import ExecutableDDLElement
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

from database.checks import broken_keys as broken
from database.checks.dependents import around
from database.checks.finding import Command, Finding
from database.checks.schema import names_of
from goatedvips.models import every


def compared(connection: Connection, inspector: Inspector, expected: MetaData) -> Iterator[Finding]:
    """Yield alembic's operations as findings."""
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_object": lambda _, __, kind, ___, ours: kind != "table" or ours is not None,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # columns of others may have types of others
        context = MigrationContext.configure(connection, opts=options)
        compare = _unless_types_differ(context.impl.compare_server_default)
        context.impl.compare_server_default = compare  # type: ignore[method-assign]  # for this comparison only
        script = produce_migrations(context, expected)
        wanted = list(_flat(script.upgrade_ops)) if script.upgrade_ops else []
        comparison = _Comparison(connection, inspector, expected, {})
        for op in wanted:
            if isinstance(op, ops.DropConstraintOp | ops.DropIndexOp):
                comparison.replaced[_name(op)] = comparison.sql(op)
        comparison.find_renamed(wanted)
        for op in wanted:
            yield from comparison.of_column(op)
            yield from comparison.of_key(op)


def _flat(op: ops.MigrateOperation) -> Iterator[ops.MigrateOperation]:
    if isinstance(op, ops.OpContainer):
        for part in op.ops:
            yield from _flat(part)
    else:
        yield op


def _name(op: ops.MigrateOperation) -> str:
    return str(getattr(op, "constraint_name", None) or getattr(op, "index_name", None))


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Turns an operation of alembic's into findings."""

    connection: Connection
    inspector: Inspector
    expected: MetaData
    replaced: dict[str, str]
    """By name: the SQL that drops a constraint or index that has a declared name and another definition."""
    renamed: dict[tuple[str, str], str] = field(default_factory=dict)
    """By table and name of a missing column: the column of the table that may be the renamed one."""

    def find_renamed(self, wanted: list[ops.MigrateOperation]) -> None:
        """Find for each missing column an undeclared one of the same type with a similar name."""
        unknown = [
            (op.table_name, self._found(op))
            for op in wanted
            if isinstance(op, ops.DropColumnOp) and not _is_ours(op.table_name, op.column_name)
        ]
        for op in wanted:
            if isinstance(op, ops.AddColumnOp):
                missing = op.column
                names = [
                    column["name"]
                    for table, column in unknown
                    if table == op.table_name and _is_alike(column, missing) and column["name"] not in self._new(table)
                ]
                if names:
                    likeness = SequenceMatcher(b=missing.name)
                    self.renamed[op.table_name, missing.name] = max(names, key=lambda name: _ratio(likeness, name))

    def _new(self, table: str) -> set[str]:
        return {new for (of, _), new in self.renamed.items() if of == table}

    def _found(self, op: ops.DropColumnOp) -> ReflectedColumn:
        return next(each for each in self.inspector.get_columns(op.table_name) if each["name"] == op.column_name)

    def _counts_by_itself(self, table: str) -> bool:
        found = next(each for each in self.inspector.get_columns(table) if each["name"] == "id")
        wanted = self.expected.tables[table].columns["id"].type
        return "identity" in found and found["type"].compile(self.connection.dialect) == wanted.compile(
            self.connection.dialect
        )

    def of_column(self, op: ops.MigrateOperation) -> Iterator[Finding]:
        match op:
            case ops.AddColumnOp(table_name=table, column=column):
                do, kind = self._addition(table, column), Command.ADD_COLUMN
                if new := self.renamed.get((table, column.name)):
                    new = self.connection.dialect.identifier_preparer.quote(new)
                    do = f"ALTER TABLE {table} RENAME COLUMN {new} TO {column.name}, if that is it, or else {do}"
                    kind = Command.RENAME_COLUMN
                yield Finding(f"column {table}.{column.name} is missing", do, kind)
            case ops.AlterColumnOp(table_name=table, column_name="id") if self._counts_by_itself(table):
                return  # by an identity column, which serves as well as a sequence of its own
            case ops.AlterColumnOp(table_name=table, column_name=name, modify_nullable=False):
                rows = broken.nulls(self.connection, self.expected.tables[table], name)
                yield self._alteration(op, Command.SET_NOT_NULL, rows)
            case ops.AlterColumnOp():
                yield self._alteration(op, Command.ALTER_COLUMN)
            case ops.DropColumnOp(table_name=table, column_name=name):
                found = self._found(op)
                is_filled = found["nullable"] or found["default"] is not None or {"identity", "computed"} & found.keys()
                if _is_ours(table, name) or name in self._new(table):
                    return
                if is_filled:
                    yield Finding(f"column {table}.{name} is not ours", "it stays as it is", is_harmless=True)
                else:
                    quoted = self.connection.dialect.identifier_preparer.quote(name)
                    yield Finding(
                        f"column {table}.{name} is not ours, and no row can be added without it",
                        f"ALTER TABLE {table} ALTER COLUMN {quoted} DROP NOT NULL, or SET DEFAULT …",
                        Command.LET_COLUMN_BE_NULL,
                    )

    def _alteration(self, op: ops.AlterColumnOp, kind: Command, broken_by: Sequence[object] = ()) -> Finding:
        """Return how to alter a column; a default that no cast turns into the other type is dropped before."""
        table, name, do, is_sql = op.table_name, op.column_name, self.sql(op), True
        column = self.expected.tables[table].columns[name]
        if op.modify_type is not None:
            if op.existing_server_default and not _is_alike_type(op.existing_type, column.type):
                default = ops.AlterColumnOp(table, name, modify_server_default=column.server_default)
                do = f"ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT; {do}; {self.sql(default)}"
            do, is_sql = around(self.connection, table, name, do)
        what = f"column {table}.{name} {', '.join(self._altered(op))}"
        return Finding(what, do, kind if is_sql else None, broken_by=broken_by)

    def _addition(self, table: str, column: Column[object]) -> str:
        """Return the SQL that adds a column, also to a table with rows."""
        add = f"ALTER TABLE {table} ADD COLUMN {ddl(self.connection, CreateColumn(column))}"
        if column.nullable or column.server_default is not None or column.primary_key:
            return add
        if not broken.has_rows(self.connection, table):
            return add
        first, then = add.removesuffix(" NOT NULL"), f"ALTER TABLE {table} ALTER COLUMN {column.name} SET NOT NULL"
        return f"{first}, then give it a value in each row, which a backup may have, then {then}"

    def of_key(self, op: ops.MigrateOperation) -> Iterator[Finding]:
        name, sql = _name(op), self.sql(op)
        make = f"{self.replaced[name]}; {sql}" if name in self.replaced else sql
        match op:
            case ops.CreateUniqueConstraintOp(table_name=table, columns=columns):
                # Other tools give keys other names.
                if [*columns] not in self._keys_of(table) and not self._goes_with_renamed(table, columns):
                    rows = broken.doubled(self.connection, self.expected.tables[table], columns)
                    yield Finding(
                        f"{table} lacks its unique key ({', '.join(columns)})",
                        make,
                        Command.ADD_UNIQUE_KEY,
                        broken_by=rows,
                    )
            case ops.CreateForeignKeyOp(source_table=table, local_cols=columns, referent_table=other):
                # A missing or moved table has a line of its own, and its foreign keys move with it.
                if self.inspector.has_table(other) and not self._goes_with_renamed(table, columns):
                    rows = broken.orphans(self.connection, self.expected.tables[table], columns[0])
                    key = f"({', '.join(columns)}) to {other}"
                    how = "has another foreign key" if name in self.replaced else "lacks its foreign key"
                    yield Finding(f"{table} {how} {key}", make, Command.ADD_FOREIGN_KEY, broken_by=rows)
            case ops.CreateIndexOp(table_name=table):
                how = "another than it should be" if name in self.replaced else "missing"
                rows = broken.by_name(self.connection, self.expected.tables[table], name)
                yield Finding(f"index {name} of {table} is {how}", make, Command.BUILD_INDEX, broken_by=rows)
            case ops.DropConstraintOp(table_name=table) | ops.DropIndexOp(table_name=table, kw={"unique": True}):
                if not self._is_known(str(table), name):
                    yield Finding(f"constraint {name} of {table} is not ours", "our rows obey it too", is_harmless=True)

    def _goes_with_renamed(self, table: str, columns: Sequence[str]) -> bool:
        """Whether the key returns when its column is renamed back."""
        return any((table, column) in self.renamed for column in columns)

    def _keys_of(self, table: str) -> list[list[str | None]]:
        return [
            index["column_names"]
            for index in self.inspector.get_indexes(table)
            if index["unique"] and not index.get("dialect_options", {}).get("postgresql_where")
        ]

    def _is_known(self, table: str, name: str) -> bool:
        """Whether a constraint or index is declared, under this name or another."""
        ours = every.metadata.tables[table]
        keys = [[*key.columns.keys()] for key in ours.constraints if hasattr(key, "columns")]
        found = [index["column_names"] for index in self.inspector.get_indexes(table) if index["name"] == name]
        return name in names_of(ours) or any(columns in keys for columns in found)

    def _altered(self, op: ops.AlterColumnOp) -> Iterator[str]:
        """Yield how a column differs from its declaration."""
        for kind, *_, old, new in op.to_diff_tuple():
            if kind == "modify_type":
                old, new = (shown(self.connection, each) for each in (old, new))  # noqa: PLW2901  as shown
                yield f"is {old}, not {new}"
            elif kind == "modify_nullable":
                yield "lacks NOT NULL" if old else "is NOT NULL and should not be"
            elif new is None:
                yield "has a default and should not"
            else:
                yield "has another default" if old is not None else "lacks its default"

    def sql(self, op: ops.MigrateOperation) -> str:
        """Return what alembic would send, in one line."""
        if isinstance(op, ops.CreateIndexOp | ops.DropIndexOp):
            op.kw["postgresql_concurrently"] = True
        if isinstance(op, ops.AlterColumnOp) and getattr(op.existing_type, "timezone", False):
            op.kw["postgresql_using"] = f"{op.column_name} AT TIME ZONE 'UTC'"
        elif (
            isinstance(op, ops.AlterColumnOp)
            and op.modify_type
            and not _is_alike_type(op.existing_type, op.modify_type)
        ):
            op.kw["postgresql_using"] = f"{op.column_name}::{op.modify_type.compile(self.connection.dialect)}"
        buffer = io.StringIO()
        offline = {"as_sql": True, "output_buffer": buffer}
        Operations(MigrationContext.configure(dialect=self.connection.dialect, opts=offline)).invoke(op)
        return " ".join(buffer.getvalue().split()).removesuffix(";")


def _is_ours(table: str, column: str) -> bool:
    """Whether the newest schema has the column, even if this database has an older schema."""
    return column in every.metadata.tables[table].columns


def _unless_types_differ(compare: Callable[..., bool]) -> Callable[..., bool]:
    """Return alembic's comparison of defaults for columns of like types only.

    PostgreSQL cannot compare values of others, and a default is set with the type. alembic's own option for such a
    function fails at identity columns.
    """

    def compared_defaults(found: Column[object], declared: Column[object], *defaults: object) -> bool:
        return _is_alike_type(found.type, declared.type) and compare(found, declared, *defaults)

    return compared_defaults


def _is_alike(found: ReflectedColumn, missing: Column[object]) -> bool:
    return _is_alike_type(found["type"], missing.type)


def _is_alike_type(found: TypeEngine[Any] | None, declared: TypeEngine[Any]) -> bool:
    """Whether values of the types are the same in Python; then PostgreSQL casts the one to the other by itself."""
    declared = declared.impl_instance if isinstance(declared, TypeDecorator) else declared
    try:
        return found is not None and found.python_type is declared.python_type
    except NotImplementedError:
        return False


def _ratio(likeness: SequenceMatcher[str], name: str) -> float:
    likeness.set_seq1(name)
    return likeness.ratio()


def ddl(connection: Connection, element: ExecutableDDLElement | CreateColumn) -> str:
    """Return SQL in one line."""
    return " ".join(str(element.compile(dialect=connection.dialect)).split())


def shown(connection: Connection, kind: TypeEngine[Any]) -> str:
    """Return a type as SQL has it; one of an extension's is not known."""
    return "OF AN UNKNOWN TYPE" if isinstance(kind, NullType) else kind.compile(connection.dialect)

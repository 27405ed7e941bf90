"""How a database's tables, columns and constraints differ from what they should be, each with the SQL that mends it.

Alembic compares; what it doesn't see is read from PostgreSQL's catalogue.
"""

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alembic.autogenerate import produce_migrations
from alembic.config import Config
from alembic.operations import Operations, ops
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    CheckConstraint,
    Connection,
    Constraint,
    Dialect,
    Index,
    Inspector,
    MetaData,
    Table,
    inspect,
    text,
)
from sqlalchemy.schema import AddConstraint, CreateColumn

from goatedvips.models import every
from local.database_finding import Finding
from local.database_rows import KEYS
from migrations import upgrade as migrations

TRIGGERS = {
    (key.column.table.name, name.format(key.column.name))
    for key in KEYS
    for name in ("clear_{}", "fill_{}_of_new", "fill_{}_of_changed")
}
MADE_ANEW = "UPDATE alembic_version SET version_num = '{}', then `make db-upgrade` makes it anew"
BEFORE_TRIGGERS = "keys_for_adopted_rows"

# As text, like all that asks the catalogue: its tables are no models of ours.
_HALF_DONE = text(r"""
    SELECT format('constraint %s of %s does not hold old rows to it (NOT VALID)', conname, relname),
        format('ALTER TABLE %I VALIDATE CONSTRAINT %I', relname, conname)
    FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
    WHERE NOT convalidated AND relnamespace = current_schema()::regnamespace AND relname = ANY(:tables)
    UNION ALL
    SELECT format('index %s of %s is not valid, as a build that was cut off leaves it',
            built.relname, pg_class.relname),
        format('%s INDEX CONCURRENTLY %I',
            CASE WHEN built.relname ~ '_cc(new|old)\d*$' THEN 'DROP' ELSE 'REINDEX' END, built.relname)
    FROM pg_index JOIN pg_class built ON built.oid = indexrelid JOIN pg_class ON pg_class.oid = indrelid
    WHERE NOT (indisvalid AND indisready) AND pg_class.relnamespace = current_schema()::regnamespace
        AND pg_class.relname = ANY(:tables)
    UNION ALL
    SELECT format('row level security of %s hides its rows from the functions', relname),
        format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', relname)
    FROM pg_class WHERE relrowsecurity AND relnamespace = current_schema()::regnamespace AND relname = ANY(:tables)
    ORDER BY 1
""")
_TRIGGERS = text("""
    SELECT relname, tgname, tgenabled IN ('O', 'A') FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
    WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace
""")
_FUNCTIONS = text("SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace")
_NAMES = text("""
    SELECT CASE WHEN relkind = 'i' THEN 'index' WHEN relkind = 'S' THEN 'sequence' ELSE 'table' END, relname
    FROM pg_class WHERE relnamespace = current_schema()::regnamespace
    UNION ALL SELECT 'function', proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
    ORDER BY 1, 2
""")


@cache
def steps() -> ScriptDirectory:
    """Return the migrations."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    return ScriptDirectory.from_config(config)


@cache
def guide() -> MetaData:
    """Return the guide's tables, as the first migration has them."""
    tables: MetaData = steps().get_revision("guide_tables").module.GUIDE
    return tables


def functions() -> dict[str, str]:
    """Return the database's functions that migrations make, each with the step before the one that does."""
    made = {f"fill_{key.column.table.name}_{key.column.name}": BEFORE_TRIGGERS for key in KEYS}
    for step in steps().walk_revisions():
        for name in re.findall(r"CREATE OR REPLACE FUNCTION (\w+)\(", Path(step.path).read_text()):
            made[name] = str(step.down_revision)
    return made


def differences(connection: Connection, expected: MetaData, *, restore: str) -> Iterator[Finding]:
    """Yield how the database differs from these tables; other tables are no concern of ours.

    Parameters
    ----------
    restore: what to do where a table is missing.
    """
    inspector = inspect(connection)
    present = set(inspector.get_table_names())
    yield from (
        Finding(f"table {table.name} is missing", restore)
        for table in expected.sorted_tables
        if table.name not in present
    )
    unseen = _unseen(connection.dialect, inspector, [t for t in expected.sorted_tables if t.name in present])
    yield from sorted([*unseen, *_compared(connection, inspector, expected)], key=_turn)
    for what, do in connection.execute(_HALF_DONE, {"tables": [*expected.tables]}):
        yield Finding(what, do)


def _turn(finding: Finding) -> tuple[bool, bool, str]:
    """Put first what the others need: columns, then keys, then what refers to them."""
    return not finding.what.startswith("column "), " foreign key " in finding.what, finding.what


def _unseen(dialect: Dialect, inspector: Inspector, tables: list[Table]) -> Iterator[Finding]:
    """Look at what alembic leaves out: primary keys, where ids come from, checks."""
    keys = _by_name(inspector.get_multi_pk_constraint())
    checks = _by_name(inspector.get_multi_check_constraints())
    columns = _by_name(inspector.get_multi_columns())
    for table in tables:
        name, primary, counted = table.name, table.primary_key, table.autoincrement_column
        if keys[name]["constrained_columns"] != primary.columns.keys():
            key = ", ".join(primary.columns.keys())
            yield Finding(f"{name} lacks its primary key ({key})", _ddl(AddConstraint(primary), dialect))
        for column in columns[name]:
            is_counted = column["default"] is not None or "identity" in column
            if counted is not None and column["name"] == counted.name and not is_counted:
                yield Finding(f"column {counted} lacks its default", _counting(name, counted.name))
        present = {check["name"] for check in checks[name]}
        for constraint in table.constraints.union(*(column.constraints for column in table.columns)):
            if isinstance(constraint, CheckConstraint) and constraint.name not in present:
                check = f"ALTER TABLE {name} ADD CONSTRAINT {constraint.name} CHECK ({constraint.sqltext})"
                yield Finding(f"{name} lacks its check {constraint.name}", check)


def _by_name[Found](reflected: Mapping[tuple[str | None, str], Found]) -> dict[str, Found]:
    return {name: found for (_, name), found in reflected.items()}


def _counting(table: str, column: str) -> str:
    sequence = f"{table}_{column}_seq"
    return (
        f"CREATE SEQUENCE IF NOT EXISTS {sequence} OWNED BY {table}.{column}; "  # noqa: S608  it is shown, not sent
        f"SELECT setval('{sequence}', (SELECT coalesce(max({column}), 0) + 1 FROM {table}), false); "
        f"ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT nextval('{sequence}')"
    )


def _compared(connection: Connection, inspector: Inspector, expected: MetaData) -> Iterator[Finding]:
    """Turn what alembic would do into sentences."""
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_object": lambda _, __, kind, ___, ours: kind != "table" or ours is not None,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # columns of others may have types of others
        script = produce_migrations(MigrationContext.configure(connection, opts=options), expected)
        comparison = _Comparison(connection.dialect, inspector, expected, {})
        wanted = list(_flat(script.upgrade_ops)) if script.upgrade_ops else []
        for op in wanted:
            if isinstance(op, ops.DropConstraintOp | ops.DropIndexOp):
                comparison.replaced[_name(op)] = comparison.sql(op)
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
    """What it takes to turn an operation of alembic's into a sentence."""

    dialect: Dialect
    inspector: Inspector
    expected: MetaData
    replaced: dict[str, str]
    """What has the name of something that should be, and is another: the SQL that makes way."""

    def of_column(self, op: ops.MigrateOperation) -> Iterator[Finding]:
        match op:
            case ops.AddColumnOp(table_name=table, column=column):
                definition = _ddl(CreateColumn(column), self.dialect)
                yield Finding(
                    f"column {table}.{column.name} is missing", f"ALTER TABLE {table} ADD COLUMN {definition}"
                )
            case ops.AlterColumnOp(table_name=table, column_name=name):
                yield Finding(f"column {table}.{name} {', '.join(self._altered(op))}", self.sql(op))
            case ops.DropColumnOp(table_name=table, column_name=name):
                found = next(column for column in self.inspector.get_columns(table) if column["name"] == name)
                is_filled = found["nullable"] or found["default"] is not None or {"identity", "computed"} & found.keys()
                if is_filled:
                    yield Finding(f"column {table}.{name} is not ours", "it stays as it is", is_harmless=True)
                else:
                    yield Finding(
                        f"column {table}.{name} is not ours, and no row can be added without it",
                        f"ALTER TABLE {table} ALTER COLUMN {name} DROP NOT NULL, or SET DEFAULT …",
                    )

    def of_key(self, op: ops.MigrateOperation) -> Iterator[Finding]:
        name, sql = _name(op), self.sql(op)
        make = f"{self.replaced[name]}; {sql}" if name in self.replaced else sql
        match op:
            case ops.CreateUniqueConstraintOp(table_name=table, columns=columns):
                if [*columns] not in self._keys_of(table):  # other tools give keys other names
                    yield Finding(f"{table} lacks its unique key ({', '.join(columns)})", make)
            case ops.CreateForeignKeyOp(source_table=table, local_cols=columns, referent_table=other):
                key = f"({', '.join(columns)}) to {other}"
                how = "has another foreign key" if name in self.replaced else "lacks its foreign key"
                yield Finding(f"{table} {how} {key}", make)
            case ops.CreateIndexOp(table_name=table):
                how = "another than it should be" if name in self.replaced else "missing"
                yield Finding(f"index {name} of {table} is {how}", make)
            case ops.DropConstraintOp(table_name=table) | ops.DropIndexOp(table_name=table, kw={"unique": True}):
                if not self._is_known(str(table), name):
                    yield Finding(f"constraint {name} of {table} is not ours", "our rows obey it too", is_harmless=True)

    def _keys_of(self, table: str) -> list[list[str | None]]:
        return [
            index["column_names"]
            for index in self.inspector.get_indexes(table)
            if index["unique"] and not index.get("dialect_options", {}).get("postgresql_where")
        ]

    def _is_known(self, table: str, name: str) -> bool:
        """Whether something is ours, by its name or under another."""
        ours = self.expected.tables[table]
        keys = [[*key.columns.keys()] for key in ours.constraints if hasattr(key, "columns")]
        found = [index["column_names"] for index in self.inspector.get_indexes(table) if index["name"] == name]
        return name in names_of(ours) or any(columns in keys for columns in found)

    def _altered(self, op: ops.AlterColumnOp) -> Iterator[str]:
        """Say how a column is, and how it should be."""
        for kind, *_, old, new in op.to_diff_tuple():
            if kind == "modify_type":
                old, new = (each.compile(self.dialect) for each in (old, new))  # noqa: PLW2901  as it is shown
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
        buffer = io.StringIO()
        offline = {"as_sql": True, "output_buffer": buffer}
        Operations(MigrationContext.configure(dialect=self.dialect, opts=offline)).invoke(op)
        return " ".join(buffer.getvalue().split()).removesuffix(";")


def _ddl(element: AddConstraint | CreateColumn, dialect: Dialect) -> str:
    return " ".join(str(element.compile(dialect=dialect)).split())


def names_of(table: Table) -> set[str]:
    """Return the names that a table takes up in its schema."""
    counted = table.autoincrement_column
    parts: tuple[Constraint | Index, ...] = (*table.constraints, *table.indexes)
    return {table.name, *(str(part.name) for part in parts if part.name)} | (
        set() if counted is None else {f"{table.name}_{counted.name}_seq"}
    )


def machinery(connection: Connection) -> Iterator[Finding]:
    """Yield what is missing of the functions, and of the triggers that fill the keys."""
    present = set(connection.scalars(_FUNCTIONS))
    for name, before in sorted(functions().items()):
        if name not in present:
            yield Finding(f"function {name} is missing", MADE_ANEW.format(before))
    found = {(table, name): is_on for table, name, is_on in connection.execute(_TRIGGERS)}
    for table, name in sorted(TRIGGERS):
        if (table, name) not in found:
            yield Finding(f"trigger {name} of {table} is missing", MADE_ANEW.format(BEFORE_TRIGGERS))
        elif not found[table, name]:
            yield Finding(f"trigger {name} of {table} is disabled", f"ALTER TABLE {table} ENABLE TRIGGER {name}")


def in_the_way(connection: Connection, guide: MetaData) -> Iterator[Finding]:
    """Yield what stands, in a database that is not adopted yet, where the adoption would put something of ours."""
    inspector = inspect(connection)
    present = set(inspector.get_table_names())
    for name, theirs in guide.tables.items():
        ours = (
            set(every.metadata.tables[name].columns.keys()) - set(theirs.columns.keys()) if name in present else set()
        )
        for column in inspector.get_columns(name) if ours else ():
            if column["name"] in ours:
                yield Finding(
                    f"column {name}.{column['name']} is where one of ours will be",
                    f"ALTER TABLE {name} RENAME COLUMN {column['name']} TO …, or drop it if nobody needs it",
                )
    taken = set(functions()).union(*map(names_of, every.metadata.tables.values()))
    taken = taken.difference(*map(names_of, guide.tables.values()))
    for kind, name in connection.execute(_NAMES):
        if name in taken:
            yield Finding(f"{kind} {name} is where one of ours will be", f"ALTER {kind.upper()} {name} RENAME TO …")

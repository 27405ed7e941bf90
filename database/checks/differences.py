"""How a database's tables, columns and constraints differ from what they should be, each with the SQL that mends it.

Alembic compares; what it doesn't see is read from PostgreSQL's catalogue.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import CheckConstraint, Connection, Inspector, MetaData, Table, inspect, text
from sqlalchemy.schema import AddConstraint, CreateTable

from database.checks import broken_keys as broken
from database.checks.comparison import compared, ddl
from database.checks.finding import Finding
from database.checks.schema import guide, names_of
from goatedvips.models import every

# As text, like all that asks the catalogue: its tables are no models of ours.
_HALF_DONE = text(r"""
    SELECT format('constraint %s of %s does not hold old rows to it (NOT VALID)', conname, relname),
        format('ALTER TABLE %I VALIDATE CONSTRAINT %I', relname, conname), relname, conname
    FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
    WHERE NOT convalidated AND relnamespace = current_schema()::regnamespace AND relname = ANY(:tables)
    UNION ALL
    SELECT format('index %s of %s is not valid, as a build that was cut off leaves it',
            built.relname, pg_class.relname),
        format('%s INDEX CONCURRENTLY %I',
            CASE WHEN built.relname ~ '_cc(new|old)\d*$' THEN 'DROP' ELSE 'REINDEX' END, built.relname),
        pg_class.relname, built.relname
    FROM pg_index JOIN pg_class built ON built.oid = indexrelid JOIN pg_class ON pg_class.oid = indrelid
    WHERE NOT (indisvalid AND indisready) AND pg_class.relnamespace = current_schema()::regnamespace
        AND pg_class.relname = ANY(:tables)
    UNION ALL
    SELECT format('row level security of %s hides its rows from the functions', relname),
        format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', relname), relname, NULL
    FROM pg_class WHERE relrowsecurity AND relnamespace = current_schema()::regnamespace AND relname = ANY(:tables)
    ORDER BY 1
""")
_ELSEWHERE = text("""
    SELECT quote_ident(nspname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relname = :name AND relkind IN ('r', 'p') AND relnamespace <> current_schema()::regnamespace
        AND nspname !~ '^pg_' ORDER BY 1 LIMIT 1
""")


def differences(connection: Connection, expected: MetaData) -> Iterator[Finding]:
    """Yield how the database differs from these tables; other tables are no concern of ours."""
    inspector = inspect(connection)
    present = set(inspector.get_table_names())
    for table in expected.sorted_tables:
        if table.name not in present:
            yield Finding(f"table {table.name} is missing", _where_it_is(connection, inspector, table))
    unseen = _unseen(connection, inspector, [table for table in expected.sorted_tables if table.name in present])
    yield from sorted([*unseen, *compared(connection, inspector, expected)], key=_turn)
    for what, do, table, name in connection.execute(_HALF_DONE, {"tables": [*expected.tables]}):
        # What is ours and of a step that has not ended is made anew by it.
        if name not in names_of(every.metadata.tables[table]) - names_of(expected.tables[table]):
            yield Finding(what, do, broken_by=broken.by_name(connection, expected.tables[table], name))


def _turn(finding: Finding) -> tuple[bool, bool, str]:
    """Put first what the others need: columns, then keys, then what refers to them."""
    return not finding.what.startswith("column "), " foreign key " in finding.what, finding.what


def _where_it_is(connection: Connection, inspector: Inspector, table: Table) -> str:
    """Say where a missing table is, under another name or in another schema, or else what can be done."""
    if schema := connection.scalar(_ELSEWHERE, {"name": table.name}):
        return f"ALTER TABLE {schema}.{table.name} SET SCHEMA public, if that is the one, or bring it from a backup"
    columns = set((guide().tables.get(table.name, table)).columns.keys())
    for (_, other), found in inspector.get_multi_columns().items():
        if other not in every.metadata.tables and columns <= {column["name"] for column in found}:
            old = connection.dialect.identifier_preparer.quote(str(other))
            return f"ALTER TABLE {old} RENAME TO {table.name}, if that is the one, or bring it from a backup"
    if table.name in guide().tables:
        return f"bring it back from a backup, or make an empty one: {ddl(connection, CreateTable(table))}"
    return "bring it back from a backup"


def _unseen(connection: Connection, inspector: Inspector, tables: list[Table]) -> Iterator[Finding]:
    """Look at what alembic leaves out: primary keys, where ids come from, checks."""
    keys = _by_name(inspector.get_multi_pk_constraint())
    checks = _by_name(inspector.get_multi_check_constraints())
    columns = _by_name(inspector.get_multi_columns())
    for table in tables:
        name, primary, counted = table.name, table.primary_key, table.autoincrement_column
        if keys[name]["constrained_columns"] != primary.columns.keys():
            key = ", ".join(primary.columns.keys())
            rows = broken.primary(connection, table)
            yield Finding(
                f"{name} lacks its primary key ({key})", ddl(connection, AddConstraint(primary)), broken_by=rows
            )
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

"""How tables, columns and constraints differ from their declaration, each with the SQL that repairs it.

Alembic compares; what it doesn't see is read from PostgreSQL's catalogue.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import CheckConstraint, Connection, Inspector, MetaData, Table, inspect, text
from sqlalchemy.schema import AddConstraint, CreateTable

from database.checks import broken_keys as broken
from database.checks.comparison import compared, ddl, shown
from database.checks.dependents import around
from database.checks.finding import Command, Finding
from database.checks.schema import guide, names_of
from goatedvips.models import every
from goatedvips.models.wagers import feed_entries

# Queries of the catalogue are text: there are no models of its tables.
_HALF_DONE = text(r"""
    SELECT format('constraint %s of %s does not hold old rows to it (NOT VALID)', conname, relname),
        format('ALTER TABLE %I VALIDATE CONSTRAINT %I', relname, conname), 'VALIDATE_CONSTRAINT', relname, conname
    FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
    WHERE NOT convalidated AND relnamespace = current_schema()::regnamespace AND relname = ANY(:tables)
    UNION ALL
    SELECT format('index %s of %s is not valid, as a build that was cut off leaves it',
            built.relname, pg_class.relname),
        format('%s INDEX CONCURRENTLY %I',
            CASE WHEN built.relname ~ '_cc(new|old)\d*$' THEN 'DROP' ELSE 'REINDEX' END, built.relname),
        'REBUILD_INDEX', pg_class.relname, built.relname
    FROM pg_index JOIN pg_class built ON built.oid = indexrelid JOIN pg_class ON pg_class.oid = indrelid
    WHERE NOT (indisvalid AND indisready) AND pg_class.relnamespace = current_schema()::regnamespace
        AND pg_class.relname = ANY(:tables)
    UNION ALL
    SELECT format('row level security of %s hides its rows even from its owner, as whom triggers run', relname),
        format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', relname), 'END_FORCED_ROW_SECURITY', relname, NULL
    FROM pg_class WHERE relrowsecurity AND relforcerowsecurity
        AND relnamespace = current_schema()::regnamespace AND relname = ANY(:tables)
    UNION ALL
    SELECT format('a publication sends updates of %s, and its rows have no replica identity, so they are refused',
            relname),
        format('ALTER TABLE %I REPLICA IDENTITY DEFAULT', relname), 'IDENTIFY_ROWS', relname, NULL
    FROM pg_class JOIN pg_publication_tables ON schemaname = current_schema() AND tablename = relname
    WHERE (relreplident = 'n' OR relreplident = 'i'
            AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = pg_class.oid AND indisreplident))
        AND relnamespace = current_schema()::regnamespace AND relname = ANY(:tables)
    GROUP BY relname
    ORDER BY 1
""")
_STORAGE = text("""
    SELECT relname, relkind, relpersistence, ARRAY(
        SELECT ARRAY[inhparent::regclass::text, inhrelid::regclass::text] FROM pg_inherits
        WHERE (inhparent = pg_class.oid OR inhrelid = pg_class.oid) AND relkind = 'r'
    ) AS inherits
    FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(:tables)
        AND relkind IN ('r', 'p') ORDER BY relname
""")
_WEAK_KEYS = text("""
    SELECT pg_class.relname, built.relname AS name, coalesce(condeferrable, false) AS is_late, CASE WHEN conname IS NULL
        THEN format('DROP INDEX %I; %s', built.relname,
            replace(pg_get_indexdef(indexrelid), ' NULLS NOT DISTINCT', ''))
        ELSE format('ALTER TABLE %I DROP CONSTRAINT %I, ADD CONSTRAINT %I %s', pg_class.relname, conname, conname,
            regexp_replace(pg_get_constraintdef(pg_constraint.oid),
                ' NULLS NOT DISTINCT| DEFERRABLE| INITIALLY DEFERRED', '', 'g')) END AS do
    FROM pg_index JOIN pg_class built ON built.oid = indexrelid JOIN pg_class ON pg_class.oid = indrelid
    LEFT JOIN pg_constraint ON conindid = indexrelid AND contype IN ('p', 'u')
    WHERE indisunique AND (condeferrable OR indnullsnotdistinct) AND pg_class.relname = ANY(:tables)
        AND pg_class.relnamespace = current_schema()::regnamespace ORDER BY 1, 2
""")
_ELSEWHERE = text("""
    SELECT quote_ident(nspname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relname = :name AND relkind IN ('r', 'p') AND relnamespace <> current_schema()::regnamespace
        AND nspname !~ '^pg_' ORDER BY 1 LIMIT 1
""")


def differences(connection: Connection, expected: MetaData) -> Iterator[Finding]:
    """Yield how the database differs from these tables; other tables are ignored."""
    inspector = inspect(connection)
    present = set(inspector.get_table_names())
    for table in expected.sorted_tables:
        if table.name not in present:
            yield Finding(f"table {table.name} is missing", *_where_it_is(connection, inspector, table))
    unseen = _unseen(connection, inspector, [table for table in expected.sorted_tables if table.name in present])
    others = [*unseen, *compared(connection, inspector, expected)]
    yield from sorted([*others, *_types(connection, inspector, expected, others)], key=_turn)
    yield from _storage(connection, expected)
    yield from _weak_keys(connection, expected)
    for what, do, kind, table, name in connection.execute(_HALF_DONE, {"tables": [*expected.tables]}):
        # A step that was cut off creates its own constraints and indexes again.
        if name not in names_of(every.metadata.tables[table]) - names_of(expected.tables[table]):
            rows = broken.by_name(connection, expected.tables[table], name)
            yield Finding(what, do, Command[kind], broken_by=rows)


def _turn(finding: Finding) -> tuple[bool, bool, str]:
    """Order findings by dependency: columns, then keys, then foreign keys."""
    return not finding.what.startswith("column "), " foreign key " in finding.what, finding.what


def _where_it_is(connection: Connection, inspector: Inspector, table: Table) -> tuple[str, Command | None]:
    """Say where a missing table may be, under another name or in another schema, or else how to restore it."""
    if schema := connection.scalar(_ELSEWHERE, {"name": table.name}):
        do = f"ALTER TABLE {schema}.{table.name} SET SCHEMA public, if that is the one, or bring it from a backup"
        return do, Command.MOVE_TABLE_TO_PUBLIC
    columns = set((guide().tables.get(table.name, table)).columns.keys())
    for (_, other), found in inspector.get_multi_columns().items():
        if other not in every.metadata.tables and columns <= {column["name"] for column in found}:
            old = connection.dialect.identifier_preparer.quote(str(other))
            do = f"ALTER TABLE {old} RENAME TO {table.name}, if that is the one, or bring it from a backup"
            return do, Command.RENAME_TABLE
    if table.name in guide().tables:
        do = f"bring it back from a backup, or make an empty one: {ddl(connection, CreateTable(table))}"
        return do, Command.MAKE_TABLE
    return "bring it back from a backup", None


def _unseen(connection: Connection, inspector: Inspector, tables: list[Table]) -> Iterator[Finding]:
    """Yield differences that alembic does not compare: primary keys, defaults of ids, checks."""
    keys = _by_name(inspector.get_multi_pk_constraint())
    checks = _by_name(inspector.get_multi_check_constraints())
    columns = _by_name(inspector.get_multi_columns())
    for table in tables:
        name, primary, counted = table.name, table.primary_key, table.autoincrement_column
        if keys[name]["constrained_columns"] != primary.columns.keys():
            key = ", ".join(primary.columns.keys())
            rows = broken.primary(connection, table)
            add = ddl(connection, AddConstraint(primary, isolate_from_table=False))
            yield Finding(f"{name} lacks its primary key ({key})", add, Command.ADD_PRIMARY_KEY, broken_by=rows)
        for column in columns[name]:
            is_counted = column["default"] is not None or "identity" in column
            if counted is not None and column["name"] == counted.name and not is_counted:
                yield Finding(f"column {counted} lacks its default", _counting(name, counted.name), Command.COUNT_IDS)
        present = {check["name"] for check in checks[name]}
        for constraint in table.constraints.union(*(column.constraints for column in table.columns)):
            if isinstance(constraint, CheckConstraint) and constraint.name not in present:
                check = f"ALTER TABLE {name} ADD CONSTRAINT {constraint.name} CHECK ({constraint.sqltext})"
                yield Finding(f"{name} lacks its check {constraint.name}", check, Command.ADD_CHECK)


def _types(
    connection: Connection, inspector: Inspector, expected: MetaData, others: list[Finding]
) -> Iterator[Finding]:
    """Yield the columns of another collation or precision, which alembic takes for the same type."""
    lines = [finding.what for finding in others]
    columns = _by_name(inspector.get_multi_columns())
    for table in expected.sorted_tables:
        for found in columns.get(table.name, ()):
            column = table.columns.get(found["name"])
            if column is None or any(what.startswith(f"column {column} is ") for what in lines):
                continue
            actual, wanted = (shown(connection, kind) for kind in (found["type"], column.type))
            if actual != wanted:
                rounded = broken.rounded(connection, table, column)
                alter = f"ALTER TABLE {table.name} ALTER COLUMN {column.name} TYPE {wanted}"
                do, is_sql = around(connection, table.name, column.name, alter)
                kind = Command.ALTER_PRECISION if is_sql else None
                yield Finding(f"column {column} is {actual}, not {wanted}", do, kind, broken_by=rounded)


def _storage(connection: Connection, expected: MetaData) -> Iterator[Finding]:
    """Yield the tables that are partitioned, unlogged or inherited, which the steps cannot change."""
    order = [table.name for table in expected.sorted_tables]
    rows = connection.execute(_STORAGE, {"tables": order}).all()
    for row in rows:
        if row.relkind == "p":
            yield Finding(
                f"table {row.relname} is partitioned, so indexes cannot be built on it while others write",
                "copy its rows into an ordinary table of its name",
            )
        for parent, child in row.inherits:
            yield Finding(
                f"table {child} inherits from {parent}, whose keys do not cover its rows",
                f"ALTER TABLE {child} NO INHERIT {parent}",
                Command.END_INHERITANCE,
            )
    # A table that is logged cannot refer to one that is not. `feed_entries` is empty between transactions.
    unlogged = sorted(
        (row.relname for row in rows if row.relpersistence == "u" and row.relname != feed_entries.name), key=order.index
    )
    if unlogged:
        yield Finding(
            f"tables without a write-ahead log, which a crash empties: {', '.join(unlogged)}",
            "; ".join(f"ALTER TABLE {name} SET LOGGED" for name in unlogged),
            Command.LOG_TABLES,
        )


def _weak_keys(connection: Connection, expected: MetaData) -> Iterator[Finding]:
    """Yield the unique keys that are checked late, or that let only one row be without a value."""
    for row in connection.execute(_WEAK_KEYS, {"tables": [*expected.tables]}):
        how = "is DEFERRABLE, and no insert can rely on it" if row.is_late else "lets only one row be without a value"
        yield Finding(f"unique key {row.name} of {row.relname} {how}", row.do, Command.REPLACE_KEY)


def _by_name[Found](reflected: Mapping[tuple[str | None, str], Found]) -> dict[str, Found]:
    return {name: found for (_, name), found in reflected.items()}


def _counting(table: str, column: str) -> str:
    sequence = f"{table}_{column}_seq"
    return (
        f"CREATE SEQUENCE IF NOT EXISTS {sequence} OWNED BY {table}.{column}; "  # noqa: S608  it is shown, not sent
        f"SELECT setval('{sequence}', (SELECT coalesce(max({column}), 0) + 1 FROM {table}), false); "
        f"ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT nextval('{sequence}')"
    )

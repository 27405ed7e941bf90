"""Functions, triggers and sequences, what others have added to the schema, and names that are taken."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Constraint, Index, MetaData, Table, exists, inspect, select, text
from sqlalchemy import table as named_table

from database.checks.finding import Command, Finding
from goatedvips.models import every
from migrations import routines, sequences
from migrations import upgrade as migrations

TRIGGERS = {(trigger.table, trigger.name) for trigger in routines.TRIGGERS}
FUNCTIONS = {function.name for function in routines.FUNCTIONS}
REPAIRED = "`make db-upgrade` makes it anew"

# Queries of the catalogue are text: there are no models of its tables.
_ADDED = text("""
    SELECT kind || ' ' || name, relname, name, may_change FROM (
        SELECT 'constraint', conname, conrelid, false FROM pg_constraint WHERE contype IN ('c', 'x')
        UNION ALL SELECT 'trigger', tgname, tgrelid, tgtype & 2 > 0 FROM pg_trigger WHERE NOT tgisinternal
    ) AS added (kind, name, of, may_change) JOIN pg_class ON pg_class.oid = of
    WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(:tables) ORDER BY relname, 1
""")
_RULES = text("""
    SELECT rulename, relname, format('DROP RULE %I ON %I', rulename, relname) AS do
    FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class
    WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(:tables) AND relkind IN ('r', 'p')
    ORDER BY relname, rulename
""")
# A function that names a table of another schema, which the functions' roles have no rights in.
_TRIGGERS_ELSEWHERE = text(r"""
    SELECT DISTINCT tgname, relname, pg_proc.oid::regprocedure::text AS function, quote_ident(nspname) AS schema
    FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid
        JOIN pg_namespace ON prosrc ~* format('(^|[^\w"])"?%s"?\s*\.\s*["\w]', nspname)
    WHERE NOT tgisinternal AND NOT prosecdef AND relnamespace = current_schema()::regnamespace
        AND relname = ANY(:tables) AND nspname ~ '^\w+$' AND nspname !~ '^pg_'
        AND nspname NOT IN ('public', 'information_schema', 'new', 'old')
    ORDER BY 2, 1, 4
""")
# Other applications have a table `users` too, so more than five of the ten tables are needed.
_ELSEWHERE = text("""
    SELECT quote_ident(nspname) AS schema, array_agg(relname::text ORDER BY relname) AS names
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND relname = ANY(:tables) AND nspname <> 'public' AND nspname !~ '^pg_'
    GROUP BY nspname HAVING count(*) > 5 ORDER BY count(*) DESC, nspname LIMIT 1
""")
_NAMES = text("""
    SELECT CASE relkind WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' ELSE 'table' END, relname, relname
    FROM pg_class WHERE relkind <> 'c' AND relnamespace = current_schema()::regnamespace
    UNION ALL SELECT 'routine', proname, oid::regprocedure::text FROM pg_proc
    WHERE pronamespace = current_schema()::regnamespace
    UNION ALL SELECT CASE typtype WHEN 'd' THEN 'domain' ELSE 'type' END, typname, typname FROM pg_type
    WHERE typnamespace = current_schema()::regnamespace AND typtype <> 'c' AND typelem = 0
    UNION ALL SELECT 'type', relname, relname FROM pg_class
    WHERE relkind = 'c' AND relnamespace = current_schema()::regnamespace
    ORDER BY 1, 2, 3
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


def names_of(table: Table) -> set[str]:
    """Return the names that a table takes up in its schema."""
    counted = table.autoincrement_column
    parts: tuple[Constraint | Index, ...] = (*table.constraints, *table.indexes)
    return {table.name, *(str(part.name) for part in parts if part.name)} | (
        set() if counted is None else {f"{table.name}_{counted.name}_seq"}
    )


def machinery(connection: Connection) -> Iterator[Finding]:
    """Yield the functions and triggers that are missing or differ, and the sequences behind the ids of their tables."""
    for difference in routines.differences(connection):
        yield Finding(difference.what, REPAIRED, difference.kind)
    yield from sequences_behind(connection, "`make db-upgrade` moves it forward")


def sequences_behind(connection: Connection, do: str, *, is_harmless: bool = False) -> Iterator[Finding]:
    """Yield the sequences whose next ids are taken."""
    for lag in sequences.lagging(connection, [*every.metadata.tables]):
        what = f"sequence {lag.sequence} gives {lag.next_id} next, and ids of {lag.table} go up to {lag.highest}"
        yield Finding(what, do, None if is_harmless else Command.MOVE_SEQUENCE, is_harmless=is_harmless)


def added(connection: Connection) -> Iterator[Finding]:
    """Yield the checks and triggers on the guide's tables that are not declared."""
    for what, table, name, may_change in connection.execute(_ADDED, {"tables": [*guide().tables]}):
        if (table, name) not in TRIGGERS:
            how = (
                "it can change or drop what is written here: see what it does" if may_change else "our rows obey it too"
            )
            yield Finding(f"{what} of {table} is not ours", how, is_harmless=True)


def refusing(connection: Connection) -> Iterator[Finding]:
    """Yield the rules and triggers on the guide's tables with which statements of the functions fail."""
    for rule in connection.execute(_RULES, {"tables": [*guide().tables]}):
        what = f"rule {rule.rulename} of {rule.relname}: no CTE and no ON CONFLICT can write to a table with rules"
        yield Finding(what, rule.do, Command.DROP_RULE)
    for trigger in connection.execute(_TRIGGERS_ELSEWHERE, {"tables": [*guide().tables]}):
        yield Finding(
            f"trigger {trigger.tgname} of {trigger.relname} uses the schema {trigger.schema},"
            " in which the functions' roles have no rights",
            f"ALTER FUNCTION {trigger.function} SECURITY DEFINER",
            Command.RUN_TRIGGER_AS_OWNER,
        )


def emptied(connection: Connection, readable: set[str]) -> Iterator[Finding]:
    """Yield the empty ones among the readable tables that a migration fills."""
    for name, (what, insert) in _filled().items():
        if name in readable and not connection.scalar(select(exists().select_from(named_table(name)))):
            yield Finding(
                f"{name} is empty: {what}", f"bring it back from a backup, or {insert}", Command.INSERT_FIRST_ROW
            )


def _filled() -> dict[str, tuple[str, str]]:
    """Return for each such table the effect of having no rows, and the SQL that inserts the first."""
    wheel = json.dumps(steps().get_revision("platform_tables").module.FIRST_WHEEL)
    tiers = json.dumps(steps().get_revision("accounts_and_access").module.FIRST_TIERS)
    insert = "INSERT INTO {} VALUES ({})"
    key = "decode(replace(concat(gen_random_uuid(), gen_random_uuid()), '-', ''), 'hex')"
    forgets = ", a new key, with which the exclusions of members erased so far are forgotten"
    fails = ", a new key, with which the links in mail sent so far unsubscribe nobody"
    return {
        "wheel_versions": ("nobody can spin", insert.format("wheel_versions (segments)", f"'{wheel}'")),
        "tier_versions": ("nobody has a tier", insert.format("tier_versions (tiers)", f"'{tiers}'")),
        "sender_state": ("no mail is sent", "INSERT INTO sender_state (id) VALUES (1)"),
        "identity_key": (
            "nobody's exclusion outlives an erasure",
            insert.format("identity_key", f"true, {key}") + forgets,
        ),
        "unsubscribe_keys": ("only critical mail is sent", insert.format("unsubscribe_keys (key)", key) + fails),
    }


def elsewhere(connection: Connection) -> Finding | None:
    """Return how to move the guide's tables to public, if they are in another schema."""
    found = connection.execute(_ELSEWHERE, {"tables": [*guide().tables]}).first()
    if found is None:
        return None
    moves = (f"ALTER TABLE {found.schema}.{name} SET SCHEMA public" for name in found.names)
    return Finding(
        f"the guide's tables are in the schema {found.schema}, and not in public",
        f"{'; '.join(moves)}, and see that the search path of the legacy application has public",
        Command.MOVE_TABLES_TO_PUBLIC,
    )


def in_the_way(connection: Connection, guide: MetaData) -> Iterator[Finding]:
    """Yield the names in a database to adopt that the adoption would use for something else."""
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
                    Command.RENAME_THEIR_COLUMN,
                )
    taken = FUNCTIONS.union(*map(names_of, every.metadata.tables.values()))
    taken = taken.difference(*map(names_of, guide.tables.values()))
    for kind, name, full_name in connection.execute(_NAMES):
        if name in taken:
            do = f"ALTER {kind.upper()} {full_name} RENAME TO …"
            yield Finding(f"{kind} {full_name} is where one of ours will be", do, Command.RENAME_THEIRS)

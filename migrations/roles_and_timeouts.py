"""The database roles that the functions log in as: their settings, their time-outs and their rights, declared once.

Every upgrade compares them with the catalogue and repairs what differs; `db-check` names it.  Roles belong to the
server and not to one database, so only what differs is changed: two databases of one server do not disturb each other.
"""

from collections.abc import Iterator
from itertools import chain

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import dialect

from goatedvips.models.every import metadata
from migrations.declarations import EVERYBODY
from migrations.faults import Fault, FaultKind
from migrations.other_rights import missing_policies, rights_of_others
from migrations.routines import FUNCTIONS
from migrations.session import without_limits

_quoted = dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]

# What the functions rely on, whatever the server, the database or its owner has set.
COMMON = {
    "search_path": "public",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "bytea_output": "hex",
    "DateStyle": "ISO, MDY",
    "transaction_timeout": "0",  # only since PostgreSQL 17; both roles limit their statements instead
}
# Set on the role, because through RDS Proxy a session must not SET and start-up options are refused.
ROLES = {
    "api": COMMON | {"lock_timeout": "5s", "statement_timeout": "8s"},
    # Jobs are few, and sort and hash 100,000 rows. To compile their statements takes longer than it saves.
    "jobs": COMMON | {"lock_timeout": "30s", "statement_timeout": "0", "work_mem": "64MB", "jit": "off"},
}

RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
WITHHELD = {
    "alembic_version": "INSERT, UPDATE, DELETE",  # the health check reads it; only a migration writes it
    "audit_log": "UPDATE, DELETE",
    "identity_key": "SELECT, INSERT, UPDATE, DELETE",  # identity_hash reads it, with its owner's rights
    "member_tiers": "UPDATE, DELETE",
    "reward_grants": "UPDATE, DELETE",
    "rewards": "UPDATE, DELETE",
    "sender_state": "INSERT, DELETE",  # its one row is made by a migration
    "tier_versions": "UPDATE, DELETE",
    "unsubscribe_keys": "SELECT, INSERT, UPDATE, DELETE",  # unsubscribe_signatures reads it, with its owner's rights
    "wheel_versions": "UPDATE, DELETE",  # a spin refers to the version that it was drawn on
}
"""The rights that the functions' roles have on all other tables and not on these."""
ADDED = {"feed_entries": "TRUNCATE"}  # each ingest empties it, and would leave 100,000 dead rows for the next one
"""The rights that the functions' roles have on these tables only."""

_ROLE = text("""
    SELECT rolcanlogin, rolconnlimit <> -1 AS is_limited, rolvaliduntil < 'infinity' AS ends, rolsuper, rolbypassrls,
        coalesce(rolconfig, '{}') AS settings, coalesce((
            SELECT setconfig FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase
            WHERE setrole = pg_roles.oid AND datname = current_database()
        ), '{}') AS settings_here
    FROM pg_roles WHERE rolname = :role
""")
_TABLE_RIGHTS = text("""
    SELECT relname, wanted, has_table_privilege(:role, pg_class.oid, wanted)
    FROM pg_class, unnest(CAST(:rights AS text[])) AS wanted
    WHERE relnamespace = to_regnamespace('public') AND relkind IN ('r', 'p') AND relname = ANY(:tables)
    ORDER BY relname, wanted
""")
_USE = text("""
    SELECT 'CONNECT ON DATABASE ' || quote_ident(current_database())
    WHERE NOT has_database_privilege(:role, current_database(), 'CONNECT')
    UNION ALL SELECT 'USAGE ON SCHEMA public'
    WHERE NOT has_schema_privilege(:role, to_regnamespace('public'), 'USAGE')
    UNION ALL SELECT 'USAGE, SELECT ON SEQUENCE public.' || quote_ident(relname) FROM pg_class
    WHERE relnamespace = to_regnamespace('public') AND pg_has_role(relowner, 'USAGE') AND CASE relkind WHEN 'S' THEN NOT
        (has_sequence_privilege(:role, oid, 'USAGE') AND has_sequence_privilege(:role, oid, 'SELECT')) ELSE false END
""")
# What else stands in public, such as a table of an extension's, may be of an owner who lets nobody grant rights on it.
_GRANTABLE = text("""
    SELECT relkind = 'S' AS is_sequence, string_agg('public.' || quote_ident(relname), ', ' ORDER BY relname) AS listed
    FROM pg_class WHERE relnamespace = to_regnamespace('public') AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        AND pg_has_role(relowner, 'USAGE')
    GROUP BY 1 ORDER BY 1
""")
_IS_SHUT = text("SELECT datconnlimit = 0 FROM pg_database WHERE datname = current_database()")
_IS_SETTING = text("SELECT name FROM pg_settings WHERE name = ANY(:names)")
# The public pseudo-role has what is granted to everybody; a function without an ACL may be executed by all.
_CALLERS = text("""
    SELECT has_function_privilege(:role, to_regprocedure(:signature), 'EXECUTE')
    WHERE to_regprocedure(:signature) IS NOT NULL
""")


def faults(connection: Connection, tables: list[str]) -> Iterator[Fault]:
    """Yield how the roles differ from their declaration.

    Parameters
    ----------
    tables: those on which the roles have rights.
    """
    database = _quoted(str(connection.scalar(text("SELECT current_database()"))))
    settings_there = set(connection.scalars(_IS_SETTING, {"names": [*COMMON]}))
    for role, declared in ROLES.items():
        settings = {name: value for name, value in declared.items() if name in settings_there or name not in COMMON}
        found = connection.execute(_ROLE, {"role": role}).one_or_none()
        if found is None:
            what = f"role {role}, as which functions log in, is missing"
            yield Fault(FaultKind.MISSING, what, f"CREATE ROLE {role} LOGIN")
            continue
        for is_wrong, kind, what, change in (
            (not found.rolcanlogin, FaultKind.MAY_NOT_LOG_IN, "may not log in", "LOGIN"),
            (found.is_limited, FaultKind.IS_LIMITED, "has a limit of connections", "CONNECTION LIMIT -1"),
            (found.ends, FaultKind.ENDS, "has an end (VALID UNTIL)", "VALID UNTIL 'infinity'"),
            (found.rolsuper, FaultKind.IS_SUPERUSER, "is a superuser", "NOSUPERUSER"),
            (found.rolbypassrls, FaultKind.PASSES_ROW_SECURITY, "passes over row level security", "NOBYPASSRLS"),
        ):
            if is_wrong:
                yield Fault(kind, f"role {role} {what}", f"ALTER ROLE {role} {change}")
        yield from _of_settings(role, settings, _parsed(found.settings), _parsed(found.settings_here), database)
        yield from _of_rights(connection, role, tables)
    yield from _of_functions(connection)
    yield from _of_database(connection, tables)


def _parsed(settings: list[str]) -> dict[str, str]:
    return dict(setting.split("=", 1) for setting in settings)


def _of_settings(
    role: str, wanted: dict[str, str], own: dict[str, str], here: dict[str, str], database: str
) -> Iterator[Fault]:
    for name, value in wanted.items():
        if own.get(name) != value:
            what = f"role {role} lacks its {name} of {value}"
            yield Fault(FaultKind.LACKS_SETTING, what, f"ALTER ROLE {role} SET {name} = '{value}'")
        if here.get(name, value) != value:
            what = f"role {role} has another {name} in this database, {here[name]}"
            repair = f"ALTER ROLE {role} IN DATABASE {database} RESET {name}"
            yield Fault(FaultKind.HAS_ANOTHER_SETTING_HERE, what, repair)


def _of_rights(connection: Connection, role: str, tables: list[str]) -> Iterator[Fault]:
    wrong: dict[tuple[bool, str], list[str]] = {}
    everywhere = {"role": role, "tables": tables, "rights": [*RIGHTS]}
    added = {"role": role, "tables": [table for table in ADDED if table in tables], "rights": ["TRUNCATE"]}
    for table, right, has in chain(*(connection.execute(_TABLE_RIGHTS, given) for given in (everywhere, added))):
        if has == (right in WITHHELD.get(table, "").split(", ")):
            wrong.setdefault((has, table), []).append(right)
    for (has, table), rights in wrong.items():
        listed = ", ".join(rights)
        if has:
            repair = f"REVOKE {listed} ON public.{table} FROM {role}"
            what = f"role {role} has and must not have {listed} on {table}"
            yield Fault(FaultKind.HAS_RIGHT, what, repair, is_of_role=False)
        else:
            repair = f"GRANT {listed} ON public.{table} TO {role}"
            yield Fault(FaultKind.LACKS_RIGHT, f"role {role} lacks {listed} on {table}", repair, is_of_role=False)
    for right in connection.scalars(_USE, {"role": role}):
        yield Fault(FaultKind.LACKS_USE, f"role {role} lacks {right}", f"GRANT {right} TO {role}", is_of_role=False)


def _of_functions(connection: Connection) -> Iterator[Fault]:
    roles = [role for role in ROLES if connection.execute(_ROLE, {"role": role}).one_or_none()]
    for function in FUNCTIONS:
        if function.callers is None:
            continue
        for role in (EVERYBODY, *roles):
            given = {"role": role.lower() if role == EVERYBODY else role, "signature": function.signature}
            has = connection.scalar(_CALLERS, given)
            is_caller = role in function.callers or EVERYBODY in function.callers
            name = "everybody" if role == EVERYBODY else f"role {role}"
            if has is False and is_caller and (role == EVERYBODY or EVERYBODY not in function.callers):
                repair = f"GRANT EXECUTE ON FUNCTION {function.signature} TO {role}"
                what = f"{name} lacks EXECUTE on {function.name}"
                yield Fault(FaultKind.LACKS_EXECUTE, what, repair, is_of_role=False)
            elif has and not is_caller:
                repair = f"REVOKE EXECUTE ON FUNCTION {function.signature} FROM {role}"
                what = f"{name} has and must not have EXECUTE on {function.name}"
                yield Fault(FaultKind.HAS_EXECUTE, what, repair, is_of_role=False)


def _of_database(connection: Connection, tables: list[str]) -> Iterator[Fault]:
    if connection.scalar(_IS_SHUT):
        database = _quoted(str(connection.scalar(text("SELECT current_database()"))))
        what, repair = f"database {database} allows no connections", f"ALTER DATABASE {database} CONNECTION LIMIT -1"
        yield Fault(FaultKind.DATABASE_IS_SHUT, what, repair, is_of_role=False)
    yield from missing_policies(connection, [*ROLES], tables)
    yield from rights_of_others(connection, [*ROLES], tables)


def ensure_roles(connection: Connection) -> None:
    """Create the roles or repair them, with rights on every table that there is and that this login will create.

    It may run again at any time; the caller commits.
    """
    connection.execute(without_limits(is_local=True))
    ensure_logins(connection)
    roles = ", ".join(ROLES)
    rights = {False: f"{', '.join(RIGHTS)} ON", True: "USAGE, SELECT ON SEQUENCE"}
    for statement in (
        *(f"GRANT {rights[row.is_sequence]} {row.listed} TO {roles}" for row in connection.execute(_GRANTABLE)),
        f"GRANT CONNECT ON DATABASE {_quoted(str(connection.scalar(text('SELECT current_database()'))))} TO {roles}",
        f"GRANT USAGE ON SCHEMA public TO {roles}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {', '.join(RIGHTS)} ON TABLES TO {roles}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {roles}",
    ):
        connection.execute(text(statement))
    changes = [(table, f"REVOKE {rights} ON public.{table} FROM {roles}") for table, rights in WITHHELD.items()]
    changes += [(table, f"GRANT {rights} ON public.{table} TO {roles}") for table, rights in ADDED.items()]
    for table, change in changes:
        if connection.scalar(text("SELECT to_regclass(:name)"), {"name": f"public.{table}"}):
            connection.execute(text(change))
    ours = [*metadata.tables, "alembic_version"]
    # One after the other: a role that has a right as everybody has it lacks it once that is revoked.
    for fault in chain(_of_functions(connection), _of_database(connection, ours)):
        connection.exec_driver_sql(fault.repair)


def ensure_logins(connection: Connection) -> None:
    """Create the roles or repair their settings; on Amazon RDS they log in with IAM tokens."""
    for role in ROLES:
        if connection.execute(_ROLE, {"role": role}).one_or_none() is None:
            connection.execute(text(f"CREATE ROLE {role} LOGIN"))
    for fault in list(faults(connection, [])):
        if fault.is_of_role:
            connection.execute(text(fault.repair))
    if connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = 'rds_iam'")):
        connection.execute(text(f"GRANT rds_iam TO {', '.join(ROLES)}"))

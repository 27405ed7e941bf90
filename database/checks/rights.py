"""The rights of a login, and the roles of the functions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import dialect

from database.checks.finding import Command, Finding
from database.checks.settings import read_only
from goatedvips.models import every
from migrations import roles_and_timeouts as roles
from migrations.roles_and_timeouts import ROLES

_quoted = dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]
OLDEST_POSTGRES = 150000
GRANTS_SAY_WHAT_IS_INHERITED = 160000
REPAIRED = "`make db-upgrade` repairs it, with a login that has CREATEROLE"

# Queries of the catalogue are text: there are no models of its tables.
_LOGIN = text("""
    SELECT current_user AS name, rolinherit AS inherits, current_database() AS database, current_schemas(false) AS path,
        to_regnamespace('public') IS NOT NULL AS has_public,
        rolsuper AS is_superuser, rolsuper OR rolcreaterole AS creates_roles,
        coalesce(has_schema_privilege(to_regnamespace('public'), 'CREATE'), false) AS creates_tables,
        pg_has_role(datdba, 'USAGE') AS owns_database, pg_is_in_recovery() AS is_replica,
        (SELECT CASE setting WHEN 'on' THEN source END FROM pg_settings WHERE name = 'default_transaction_read_only')
            AS read_only_by,
        current_setting('server_version') AS version, current_setting('server_version_num')::int AS version_number,
        pg_encoding_to_char(encoding) AS encoding, lower('I') = 'i' AS lowers_i, reset_val AS zone
    FROM pg_roles, pg_database, pg_settings
    WHERE rolname = current_user AND datname = current_database() AND pg_settings.name = 'TimeZone'
""")
_TABLES = text("""
    SELECT relname, rolname, rolsuper, pg_has_role(relowner, 'USAGE'), has_table_privilege(pg_class.oid, 'SELECT'),
        nullif(reltuples, -1)::bigint, pg_size_pretty(pg_total_relation_size(pg_class.oid))
    FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner
    WHERE relnamespace = to_regnamespace('public') AND relkind IN ('r', 'p') ORDER BY relname
""")
_SEQUENCES_OF_OTHERS = text("""
    SELECT DISTINCT rolname AS owner, rolsuper AS is_superusers, pg_class.relname,
        sequences.oid::regclass::text AS sequence
    FROM pg_class JOIN pg_attrdef ON adrelid = pg_class.oid
    JOIN pg_depend ON classid = 'pg_attrdef'::regclass AND objid = pg_attrdef.oid AND refclassid = 'pg_class'::regclass
    JOIN pg_class sequences ON sequences.oid = refobjid AND sequences.relkind = 'S'
    JOIN pg_roles ON pg_roles.oid = sequences.relowner
    WHERE pg_class.relnamespace = to_regnamespace('public') AND pg_class.relname = ANY(:tables)
        AND NOT pg_has_role(sequences.relowner, 'USAGE') AND sequences.relowner <> pg_class.relowner
    ORDER BY 1, 4
""")
# Since PostgreSQL 16 a login with CREATEROLE can alter only the roles that it created or has ADMIN OPTION on.
_UNALTERABLE = text("""
    SELECT rolname FROM pg_roles WHERE rolname = ANY(:roles)
        AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
        AND CASE WHEN current_setting('server_version_num')::int < 160000
            THEN NOT (SELECT rolcreaterole FROM pg_roles WHERE rolname = current_user)
            ELSE NOT pg_has_role(current_user, oid, 'MEMBER WITH ADMIN OPTION') END
    ORDER BY 1
""")


@dataclass(frozen=True, slots=True)
class Login:
    """The login, its rights, and properties of the database."""

    name: str
    inherits: bool
    """Whether it has the rights of the roles that it is a member of, unless a grant says otherwise."""
    database: str
    path: list[str]
    """The schemas of its search path that exist; `public` need not be among them."""
    has_public: bool
    is_superuser: bool
    creates_roles: bool
    creates_tables: bool
    owns_database: bool
    is_replica: bool
    read_only_by: str | None
    """What sets default_transaction_read_only, in the words of pg_settings; none: nothing does."""
    version: str
    version_number: int
    encoding: str
    lowers_i: bool
    """Whether the lower case of I is i, as it is not in Turkish."""
    zone: str


@dataclass(frozen=True, slots=True)
class Owned:
    """A table, its owner, and the login's rights on it."""

    name: str
    owner: str
    is_superusers: bool
    is_ours: bool
    is_readable: bool
    rows: int | None
    """The planner's estimate; None if the table was never analysed."""
    size: str
    """With its indexes."""


def login_of(connection: Connection) -> Login:
    """Return the login of the connection."""
    return Login(**connection.execute(_LOGIN).mappings().one())


def tables_of(connection: Connection) -> list[Owned]:
    """Return all tables in public, also those of other applications."""
    return [Owned(*row) for row in connection.execute(_TABLES)]


def rights(login: Login, tables: list[Owned]) -> Iterator[Finding]:
    """Yield the rights that an upgrade needs and the login lacks, and unsuitable properties of the server."""
    name, database = _quoted(login.name), _quoted(login.database)
    yield from read_only(login)
    for is_wrong, what, do, kind in (
        (
            login.version_number < OLDEST_POSTGRES,
            f"the server is PostgreSQL {login.version}",
            "bring it to 15 or newer first",
            None,
        ),
        (
            login.encoding != "UTF8",
            f"the database's encoding is {login.encoding}",
            "restore a dump of it into a database of UTF8",
            None,
        ),
        (
            not login.lowers_i,
            "in the database's locale the lower case of I is not i, so names and addresses with an I are not found",
            "restore a dump of it into a database of another locale, such as C.UTF-8",
            None,
        ),
        (
            not login.has_public,
            "the schema public is missing",
            f"CREATE SCHEMA public AUTHORIZATION {name}",
            Command.MAKE_PUBLIC,
        ),
        (
            login.has_public and not login.creates_tables,
            f"{name} may not create tables in the schema public",
            f"GRANT CREATE ON SCHEMA public TO {name}, or connect as its owner",
            Command.GRANT_CREATE,
        ),
        (
            not login.owns_database,
            f"{name} does not own the database, which an upgrade sets to UTC",
            f"ALTER DATABASE {database} OWNER TO {name}, or connect as its owner",
            Command.OWN_DATABASE,
        ),
        (
            not login.creates_roles,
            f"{name} may not create roles, as which the functions log in",
            f"ALTER ROLE {name} CREATEROLE, or connect as a login that has it",
            Command.CREATE_ROLES,
        ),
    ):
        if is_wrong:
            yield Finding(what, do, kind)
    relevant = [table for table in tables if table.name in {*every.metadata.tables, "alembic_version"}]
    for owner in sorted({table.owner for table in relevant if not table.is_ours}):
        theirs = [table for table in relevant if table.owner == owner]
        which, of = ", ".join(table.name for table in theirs), _quoted(owner)
        give = _give(login, owner, [f"TABLE {table.name}" for table in theirs], is_superuser=theirs[0].is_superusers)
        yield Finding(f"{name} does not own {which}", f"connect as {of}, who does, or {give}", Command.OWN_TABLES)
    if hidden := ", ".join(table.name for table in relevant if not table.is_readable):
        yield Finding(
            f"{name} may not read {hidden}, whose rows nobody looked at",
            f"GRANT SELECT ON {hidden} TO {name}, or connect as the owner",
            Command.READ_TABLES,
        )


def _give(login: Login, owner: str, things: Sequence[str], *, is_superuser: bool) -> str:
    """Return the statements that give a login the rights of an owner, or of a superuser only these things."""
    name, of = _quoted(login.name), _quoted(owner)
    if is_superuser:  # whoever has that role would be one, too
        return "; ".join(f"ALTER {thing} OWNER TO {name}" for thing in things)
    if login.version_number >= GRANTS_SAY_WHAT_IS_INHERITED:
        return f"GRANT {of} TO {name} WITH INHERIT TRUE"
    return f"{'' if login.inherits else f'ALTER ROLE {name} INHERIT; '}GRANT {of} TO {name}"


def sequences_of_others(connection: Connection, login: Login) -> Iterator[Finding]:
    """Yield the sequences of ids on which the login cannot grant rights to the functions' roles."""
    for found in connection.execute(_SEQUENCES_OF_OTHERS, {"tables": [*every.metadata.tables]}):
        give = _give(login, found.owner, [f"SEQUENCE {found.sequence}"], is_superuser=found.is_superusers)
        yield Finding(
            f"{_quoted(login.name)} does not own {found.sequence}, which gives the ids of {found.relname}",
            f"connect as {_quoted(found.owner)}, who does, or {give}",
            Command.OWN_SEQUENCES,
        )


def functions_roles(connection: Connection, login: Login) -> Iterator[Finding]:
    """Yield what the roles that functions log in as lack, or have and must not have."""
    for fault in roles.faults(connection, [*every.metadata.tables, "alembic_version"]):
        role = next((role for role in _unalterable(connection) if f"ROLE {role} " in fault.repair), None)
        first = f"{_admin(role, login)}; then " if role else ""
        yield Finding(fault.what, f"{first}{REPAIRED}", fault.kind)


def unalterable_roles(connection: Connection, login: Login) -> Iterator[Finding]:
    """Yield the functions' roles that are there and must be altered, which this login may not do."""
    unalterable = _unalterable(connection)
    wrong = [fault.repair for fault in roles.faults(connection, []) if fault.is_of_role]
    for role in unalterable:
        if any(f"ROLE {role} " in repair for repair in wrong):
            what = f"role {role}, as which functions log in, is there, and {_quoted(login.name)} may not alter it"
            yield Finding(what, _admin(role, login), Command.LET_ALTER_ROLES)


def _unalterable(connection: Connection) -> list[str]:
    return list(connection.scalars(_UNALTERABLE, {"roles": [*ROLES]}))


def _admin(role: str, login: Login) -> str:
    return f"GRANT {role} TO {_quoted(login.name)} WITH ADMIN OPTION, as a superuser or as who created it"

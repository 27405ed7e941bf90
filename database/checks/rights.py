"""The rights of a login, time zones other than UTC, settings, and the roles of the functions."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import dialect

from database.checks.finding import Command, Finding
from goatedvips.models import every
from migrations import roles_and_timeouts as roles
from migrations.roles_and_timeouts import ROLES

_quoted = dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]
OLDEST_POSTGRES = 150000
UTC = {"UTC", "Etc/UTC", "GMT", "Etc/GMT", "UCT", "Etc/UCT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal"}
REPAIRED = "`make db-upgrade` repairs it, with a login that has CREATEROLE"

# Queries of the catalogue are text: there are no models of its tables.
_LOGIN = text("""
    SELECT current_user AS name, current_database() AS database, current_schemas(false) AS path,
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
# Since PostgreSQL 16 a login with CREATEROLE can alter only the roles that it created or has ADMIN OPTION on.
_UNALTERABLE = text("""
    SELECT rolname FROM pg_roles WHERE rolname = ANY(:roles)
        AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
        AND CASE WHEN current_setting('server_version_num')::int < 160000
            THEN NOT (SELECT rolcreaterole FROM pg_roles WHERE rolname = current_user)
            ELSE NOT pg_has_role(current_user, oid, 'MEMBER WITH ADMIN OPTION') END
    ORDER BY 1
""")
_REPLICA = text("""
    SELECT rolname, setdatabase = 0 FROM pg_db_role_setting LEFT JOIN pg_roles ON pg_roles.oid = setrole
    WHERE 'session_replication_role=replica' = ANY (setconfig)
        AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    ORDER BY 1
""")
_ZONES = text("""
    SELECT rolname, trim(split_part(setting, '=', 2), '''"')
    FROM pg_db_role_setting JOIN pg_roles ON pg_roles.oid = setrole, unnest(setconfig) AS setting
    WHERE setting ILIKE 'timezone=%' AND setdatabase IN
        (0, (SELECT oid FROM pg_database WHERE datname = current_database())) ORDER BY rolname
""")


@dataclass(frozen=True, slots=True)
class Login:
    """The login, its rights, and properties of the database."""

    name: str
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
        if theirs[0].is_superusers:  # whoever has that role would be one, too
            give = "; ".join(f"ALTER TABLE {table.name} OWNER TO {name}" for table in theirs)
        else:
            give = f"GRANT {of} TO {name}"
        yield Finding(f"{name} does not own {which}", f"connect as {of}, who does, or {give}", Command.OWN_TABLES)
    if hidden := ", ".join(table.name for table in relevant if not table.is_readable):
        yield Finding(
            f"{name} may not read {hidden}, whose rows nobody looked at",
            f"GRANT SELECT ON {hidden} TO {name}, or connect as the owner",
            Command.READ_TABLES,
        )


def read_only(login: Login) -> Iterator[Finding]:
    """Yield the reason why the database is read-only, if it is."""
    name, database, setting = _quoted(login.name), _quoted(login.database), "default_transaction_read_only"
    if login.is_replica:
        yield Finding("the server is a standby, a read replica, which is read-only", "give the address of the primary")
    elif login.read_only_by is not None:
        reset = {
            "database": f"ALTER DATABASE {database} RESET {setting}",
            "user": f"ALTER ROLE {name} RESET {setting}",
            "database user": f"ALTER ROLE {name} IN DATABASE {database} RESET {setting}",
            "global": f"ALTER ROLE ALL RESET {setting}",
            "configuration file": f"ALTER SYSTEM SET {setting} TO off; SELECT pg_reload_conf()",
        }.get(login.read_only_by)
        if reset is None:
            do, kind = f"if it should not be: take {setting} out of the URL's options, or of the server's start", None
        else:
            do, kind = f"if it should not be: SET {setting} TO off; {reset}", Command.WRITE_AGAIN
        yield Finding("the database is read-only", do, kind)


def clocks(connection: Connection, login: Login, *, is_adopted: bool) -> Iterator[Finding]:
    """Yield time zones other than UTC: the columns store no time zone, and are read as UTC."""
    name = connection.dialect.identifier_preparer.quote(login.database)
    if login.zone not in UTC and is_adopted:
        yield Finding(
            f"the time zone is {login.zone}, so times that now() stores are misread as UTC",
            f"ALTER DATABASE {name} SET timezone TO 'UTC', connect anew, and shift what was stored meanwhile",
            Command.SET_TIME_ZONE,
        )
    elif login.zone not in UTC:
        yield Finding(
            f"the time zone is {login.zone}, so times that now() has stored would be misread as UTC",
            "shift them first, as docs/adopting.md shows; the adoption then sets the time zone to UTC",
        )
    for role, zone in connection.execute(_ZONES):
        if zone not in UTC:
            yield Finding(
                f"role {role} has a time zone of its own, {zone}, so times that its now() stores are misread as UTC",
                f"ALTER ROLE {role} RESET timezone; ALTER ROLE {role} IN DATABASE {name} RESET timezone",
                Command.RESET_TIME_ZONE_OF_ROLE,
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


def triggers_off(connection: Connection) -> Iterator[Finding]:
    """Yield the settings of this database, and of roles, with which no trigger fires and no foreign key is checked."""
    database = _quoted(str(connection.scalar(text("SELECT current_database()"))))
    for role, is_everywhere in connection.execute(_REPLICA):
        of = f"ROLE {_quoted(role)}" if role else f"DATABASE {database}"
        where = f" IN DATABASE {database}" if role and not is_everywhere else ""
        yield Finding(
            f"{of}{where} has session_replication_role replica, with which no trigger fires",
            f"ALTER {of}{where} RESET session_replication_role",
            Command.FIRE_TRIGGERS,
        )

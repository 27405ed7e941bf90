"""What a login may do in a database, whose clock is not UTC, and what the functions' roles lack."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import dialect

from database.checks.finding import Finding
from goatedvips.models import every
from migrations.roles_and_timeouts import KEPT_FROM_FUNCTIONS, ROLES

_quoted = dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]
OLDEST_POSTGRES = 150000
UTC = {"UTC", "Etc/UTC", "GMT", "Etc/GMT", "UCT", "Etc/UCT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal"}
SEEN_TO = "`make db-upgrade` sees to it, with a login that has CREATEROLE"

# As text, like all that asks the catalogue: its tables are no models of ours.
_LOGIN = text("""
    SELECT current_user AS name, current_database() AS database, coalesce(current_schema(), '') AS schema,
        rolsuper AS is_superuser, rolsuper OR rolcreaterole AS creates_roles,
        coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS creates_tables,
        pg_has_role(datdba, 'USAGE') AS owns_database, pg_is_in_recovery() AS is_replica,
        (SELECT CASE setting WHEN 'on' THEN source END FROM pg_settings WHERE name = 'default_transaction_read_only')
            AS read_only_by,
        current_setting('server_version') AS version, current_setting('server_version_num')::int AS version_number,
        pg_encoding_to_char(encoding) AS encoding, reset_val AS zone
    FROM pg_roles, pg_database, pg_settings
    WHERE rolname = current_user AND datname = current_database() AND pg_settings.name = 'TimeZone'
""")
_TABLES = text("""
    SELECT relname, rolname, rolsuper, pg_has_role(relowner, 'USAGE'), has_table_privilege(pg_class.oid, 'SELECT'),
        nullif(reltuples, -1)::bigint, pg_size_pretty(pg_total_relation_size(pg_class.oid))
    FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') ORDER BY relname
""")
_ZONES = text("""
    SELECT rolname, trim(split_part(setting, '=', 2), '''"')
    FROM pg_db_role_setting JOIN pg_roles ON pg_roles.oid = setrole, unnest(setconfig) AS setting
    WHERE setting ILIKE 'timezone=%' AND setdatabase IN
        (0, (SELECT oid FROM pg_database WHERE datname = current_database())) ORDER BY rolname
""")
_ROLE = text("SELECT rolcanlogin, coalesce(rolconfig, '{}') AS limits FROM pg_roles WHERE rolname = :role")
_ROLE_RIGHTS = text("""
    SELECT relname, wanted, has_table_privilege(:role, pg_class.oid, wanted)
    FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS wanted
    WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(:tables) ORDER BY relname, wanted
""")
_ROLE_USE = text("""
    SELECT 'schema ' || current_schema() WHERE NOT has_schema_privilege(:role, current_schema(), 'USAGE')
    UNION ALL SELECT 'sequence ' || relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace
        AND CASE relkind WHEN 'S' THEN NOT has_sequence_privilege(:role, oid, 'USAGE') ELSE false END
    ORDER BY 1
""")


@dataclass(frozen=True, slots=True)
class Login:
    """Who is connected, with what rights, to what."""

    name: str
    database: str
    schema: str
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
    zone: str


@dataclass(frozen=True, slots=True)
class Owned:
    """A table that is there, and what the login has to do with it."""

    name: str
    owner: str
    is_superusers: bool
    is_ours: bool
    is_readable: bool
    rows: int | None
    """As the planner estimates them; none where nobody has counted yet."""
    size: str
    """With its indexes."""


def login_of(connection: Connection) -> Login:
    """Return who is connected."""
    return Login(**connection.execute(_LOGIN).mappings().one())


def tables_of(connection: Connection) -> list[Owned]:
    """Return the tables that are there, of others too."""
    return [Owned(*row) for row in connection.execute(_TABLES)]


def rights(login: Login, tables: list[Owned]) -> Iterator[Finding]:
    """Yield what the login may not do and an upgrade does, and what server would not do."""
    name, place, database = _quoted(login.name), _quoted(login.schema or "public"), _quoted(login.database)
    yield from read_only(login)
    for is_wrong, what, do in (
        (
            login.version_number < OLDEST_POSTGRES,
            f"the server is PostgreSQL {login.version}",
            "bring it to 15 or newer first",
        ),
        (
            login.encoding != "UTF8",
            f"the database's encoding is {login.encoding}",
            "restore a dump of it into a database of UTF8",
        ),
        (
            login.schema != "public",
            f"{name} finds tables in {login.schema or 'no schema'} before public",
            f"ALTER ROLE {name} SET search_path TO public, and see that public is there",
        ),
        (
            not login.creates_tables,
            f"{name} may not create tables in the schema {place}",
            f"GRANT CREATE ON SCHEMA {place} TO {name}, or connect as its owner",
        ),
        (
            not login.owns_database,
            f"{name} does not own the database, which an upgrade sets to UTC",
            f"ALTER DATABASE {database} OWNER TO {name}, or connect as its owner",
        ),
        (
            not login.creates_roles,
            f"{name} may not create roles, as which the functions log in",
            f"ALTER ROLE {name} CREATEROLE, or connect as a login that has it",
        ),
    ):
        if is_wrong:
            yield Finding(what, do)
    relevant = [table for table in tables if table.name in {*every.metadata.tables, "alembic_version"}]
    for owner in sorted({table.owner for table in relevant if not table.is_ours}):
        theirs = [table for table in relevant if table.owner == owner]
        which, of = ", ".join(table.name for table in theirs), _quoted(owner)
        if theirs[0].is_superusers:  # whoever has that role would be one, too
            give = "; ".join(f"ALTER TABLE {table.name} OWNER TO {name}" for table in theirs)
        else:
            give = f"GRANT {of} TO {name}"
        yield Finding(f"{name} does not own {which}", f"connect as {of}, who does, or {give}")
    if hidden := ", ".join(table.name for table in relevant if not table.is_readable):
        yield Finding(
            f"{name} may not read {hidden}, whose rows nobody looked at",
            f"GRANT SELECT ON {hidden} TO {name}, or connect as the owner",
        )


def read_only(login: Login) -> Iterator[Finding]:
    """Yield why nothing can be written at all, if so."""
    name, database, setting = _quoted(login.name), _quoted(login.database), "default_transaction_read_only"
    if login.is_replica:
        yield Finding("the server is a standby, a read replica, which is read-only", "give the address of the primary")
    elif login.read_only_by is not None:
        reset = {
            "database": f"ALTER DATABASE {database} RESET {setting}",
            "user": f"ALTER ROLE {name} RESET {setting}",
            "database user": f"ALTER ROLE {name} IN DATABASE {database} RESET {setting}",
        }.get(login.read_only_by, f"take {setting} out of the server's configuration")
        yield Finding("the database is read-only", f"if it should not be: SET {setting} TO off; {reset}")


def clocks(connection: Connection, login: Login, *, is_adopted: bool) -> Iterator[Finding]:
    """Yield whose now() is not UTC: the columns keep no time zone, and what they hold is read as UTC."""
    name = connection.dialect.identifier_preparer.quote(login.database)
    if login.zone not in UTC and is_adopted:
        yield Finding(
            f"the time zone is {login.zone}, so times that now() stores are misread as UTC",
            f"ALTER DATABASE {name} SET timezone TO 'UTC', connect anew, and shift what was stored meanwhile",
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
            )


def functions_roles(connection: Connection) -> Iterator[Finding]:
    """Yield what the roles that functions log in as lack, or have and should not."""
    tables = [*every.metadata.tables, "alembic_version"]
    for role, limits in ROLES.items():
        found = connection.execute(_ROLE, {"role": role}).one_or_none()
        if found is None:
            yield Finding(f"role {role}, as which functions log in, is missing", SEEN_TO)
            continue
        if not found.rolcanlogin:
            yield Finding(f"role {role} may not log in", SEEN_TO)
        for limit, value in limits.items():
            if f"{limit}={value}" not in found.limits:
                yield Finding(f"role {role} lacks its {limit} of {value}", SEEN_TO)
        wrong: dict[str, list[str]] = {}
        for table, right, has in connection.execute(_ROLE_RIGHTS, {"role": role, "tables": tables}):
            if has == (right in KEPT_FROM_FUNCTIONS.get(table, "").split(", ")):
                wrong.setdefault("has and must not have" if has else "lacks", []).append(f"{right} on {table}")
        for how, which in wrong.items():
            yield Finding(f"role {role} {how} {', '.join(which)}", SEEN_TO)
        for what in connection.scalars(_ROLE_USE, {"role": role}):
            yield Finding(f"role {role} may not use the {what}", SEEN_TO)

"""Settings of the database and of roles: read-only, time zones, and those with which triggers do not work."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import dialect

from database.checks.finding import Command, Finding

if TYPE_CHECKING:
    from database.checks.rights import Login

_quoted = dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]
UTC = {"UTC", "Etc/UTC", "GMT", "Etc/GMT", "UCT", "Etc/UCT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal"}

# Queries of the catalogue are text: there are no models of its tables.
_UNUSABLE = text("""
    SELECT rolname, setdatabase = 0, split_part(setting, '=', 1) AS name, split_part(setting, '=', 2) AS value
    FROM pg_db_role_setting LEFT JOIN pg_roles ON pg_roles.oid = setrole, unnest(setconfig) AS setting
    WHERE setting IN ('session_replication_role=replica', 'standard_conforming_strings=off', 'row_security=off')
        AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    ORDER BY 1, 3
""")
# What follows from each of them.
EFFECTS = {
    "session_replication_role": "with which no trigger fires",
    "standard_conforming_strings": "with which patterns in functions read otherwise, such as those of codes",
    "row_security": "with which queries fail where row level security is on",
}
_ZONES = text("""
    SELECT rolname, trim(split_part(setting, '=', 2), '''"')
    FROM pg_db_role_setting JOIN pg_roles ON pg_roles.oid = setrole, unnest(setconfig) AS setting
    WHERE setting ILIKE 'timezone=%' AND setdatabase IN
        (0, (SELECT oid FROM pg_database WHERE datname = current_database())) ORDER BY rolname
""")


def read_only(login: "Login") -> Iterator[Finding]:
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
        }.get(login.read_only_by, f"ALTER DATABASE {database} SET {setting} TO off")  # over the server's command line
        do, kind = f"if it should not be: SET {setting} TO off; {reset}", Command.WRITE_AGAIN
        yield Finding("the database is read-only", do, kind)


def clocks(connection: Connection, login: "Login", *, is_adopted: bool) -> Iterator[Finding]:
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
                f"ALTER ROLE {_quoted(role)} RESET timezone;"
                f" ALTER ROLE {_quoted(role)} IN DATABASE {name} RESET timezone",
                Command.RESET_TIME_ZONE_OF_ROLE,
            )


def unusable_settings(connection: Connection) -> Iterator[Finding]:
    """Yield the settings of this database, and of roles, that keep triggers or functions from what they should do."""
    database = _quoted(str(connection.scalar(text("SELECT current_database()"))))
    for role, is_everywhere, name, value in connection.execute(_UNUSABLE):
        of = f"ROLE {_quoted(role)}" if role else f"DATABASE {database}"
        where = f" IN DATABASE {database}" if role and not is_everywhere else ""
        yield Finding(
            f"{of}{where} has {name} {value}, {EFFECTS[name]}",
            f"ALTER {of}{where} RESET {name}",
            Command.RESET_SETTING,
        )

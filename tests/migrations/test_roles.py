"""What the functions' roles may do, and how long they may wait."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from database.embedded import Server
from migrations.roles_and_timeouts import ensure_roles
from migrations.upgrade import engine, upgrade


@pytest.fixture
def migrated(url: str, database: Engine) -> Engine:
    """Make a migrated database with its roles, seen to twice as every deployment does."""
    upgrade(url)
    for _ in range(2):
        with database.begin() as connection:
            ensure_roles(connection)
    return database


@pytest.fixture(params=["api", "jobs"])
def role(request: pytest.FixtureRequest, bare_server: Server, migrated: Engine) -> Engine:
    """Reach the database as one of the roles."""
    assert migrated.url.database is not None
    return engine(bare_server.url(migrated.url.database, request.param))


def test_roles_wait_no_longer_than_their_functions(bare_server: Server, migrated: Engine) -> None:
    """A member waits seconds, a job as long as its function may run."""
    waits = {}
    for name in ("api", "jobs"):
        with engine(bare_server.url(str(migrated.url.database), name)).connect() as connection:
            waits[name] = [connection.scalar(text(f"SHOW {limit}")) for limit in ("lock_timeout", "statement_timeout")]

    assert waits == {"api": ["5s", "8s"], "jobs": ["30s", "0"]}


def test_roles_read_and_write_rows(role: Engine) -> None:
    """Sequences included, which an insert draws its id from."""
    with role.begin() as connection:
        connection.execute(text("INSERT INTO notification_preferences DEFAULT VALUES"))
        connection.execute(text("UPDATE notification_preferences SET push_notifications = false"))
        connection.execute(text("DELETE FROM notification_preferences"))


@pytest.mark.parametrize(
    "statement", ["UPDATE rewards SET amount = 0", "DELETE FROM rewards", "DELETE FROM reward_grants"]
)
def test_roles_only_add_to_the_ledger(role: Engine, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), role.begin() as connection:
        connection.execute(text(statement))


def test_roles_reach_tables_made_later(role: Engine, migrated: Engine) -> None:
    """The next migration's tables need no further grant."""
    with migrated.begin() as connection:
        connection.execute(text("CREATE TABLE later (id serial PRIMARY KEY)"))
    with role.begin() as connection:
        connection.execute(text("INSERT INTO later DEFAULT VALUES"))


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE mine ()", "DROP TABLE users", "TRUNCATE users", "UPDATE alembic_version SET version_num = ''"],
)
def test_roles_leave_the_schema_alone(role: Engine, statement: str) -> None:
    """Only a migration changes it, or says which one was the last."""
    with role.begin() as connection:
        connection.execute(text("SELECT version_num FROM alembic_version"))
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), role.begin() as connection:
        connection.execute(text(statement))


def test_what_runs_with_the_owner_s_rights_is_the_functions_alone(migrated: Engine) -> None:
    """Whoever else has a login, as the legacy application has, calls neither."""
    definer = text(
        "SELECT oid::regprocedure::text FROM pg_proc"
        " WHERE prosecdef AND pronamespace = 'public'::regnamespace AND has_function_privilege(:role, oid, 'EXECUTE')"
    )
    with migrated.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS stranger"))
        connection.execute(text("CREATE ROLE stranger LOGIN"))
        callable_by = {role: set(connection.scalars(definer, {"role": role})) for role in ("api", "jobs", "stranger")}
    assert callable_by == {
        "api": {"identity_hash(text,text)", "unsubscribe_signatures(text,text)", "redact_audit_log(integer)"},
        "jobs": {"identity_hash(text,text)", "unsubscribe_signatures(text,text)"},
        "stranger": set(),
    }

"""Every command that `db-check` prints mends what its line says: a test runs each as printed, and looks again."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import count

import pytest
from sqlalchemy import make_url, text

from database.check import State, lines, looked_at
from database.checks.finding import Command
from database.checks.schema import steps
from database.embedded import Server, running
from migrations.faults import FaultKind
from migrations.roles_and_timeouts import ensure_roles
from migrations.routines import DifferenceKind
from migrations.upgrade import engine, upgrade
from tests.database.cases import MOVE_TO_APP
from tests.database.reports import follow, kinds
from tests.support.databases import GUIDE_SQL, run_sql


@dataclass(frozen=True)
class Group:
    """A database to which several things are done at once.

    Parameters
    ----------
    template: empty, guide or adopted.
    damages: what is done to it, by the kind of the line that says so; `{database}` is its name.
    also: kinds of further lines that it has.
    login: who looks; a superuser runs the SQL that is printed.
    """

    template: str
    damages: dict[Enum, str]
    also: frozenset[Enum] = frozenset()
    login: str = "postgres"

    @property
    def kinds(self) -> set[Enum]:
        """The kinds of all its lines."""
        return {*self.damages, *self.also}


READ_ONLY = "SET default_transaction_read_only TO on"
ADOPT = frozenset({Command.ADOPT})
MEMBERS = """
INSERT INTO users (username, password, email)
SELECT 'Ann ' || n, repeat('a', 128) || '.salt', 'ann' || n || '@a.io' FROM generate_series(1, 4) n;
"""
GROUPS = {
    "empty": Group("empty", {Command.MAKE_PUBLIC: "DROP SCHEMA public CASCADE"}, frozenset({Command.MAKE_TABLES})),
    "guide": Group(
        "guide",
        {
            Command.RENAME_TABLE: "ALTER TABLE bonus_codes RENAME TO old_codes",
            Command.MAKE_TABLE: "DROP TABLE notification_preferences",
            Command.MOVE_TABLE_TO_PUBLIC: "CREATE SCHEMA old; ALTER TABLE ticket_messages SET SCHEMA old",
            Command.ADD_COLUMN: "ALTER TABLE users DROP bio",
            Command.RENAME_COLUMN: "ALTER TABLE wager_race_participants RENAME user_id TO member",
            Command.SET_NOT_NULL: "ALTER TABLE users ALTER password DROP NOT NULL",
            Command.ALTER_COLUMN: "ALTER TABLE users ALTER profile_color TYPE varchar(9)",
            Command.ALTER_PRECISION: "ALTER TABLE users ALTER created_at TYPE timestamp(3)",
            Command.LET_COLUMN_BE_NULL: "ALTER TABLE wheel_spins ADD shoe_size integer NOT NULL",
            Command.ADD_PRIMARY_KEY: "ALTER TABLE historical_races DROP CONSTRAINT historical_races_pkey",
            Command.ADD_UNIQUE_KEY: "ALTER TABLE users DROP CONSTRAINT users_uid_unique",
            Command.ADD_FOREIGN_KEY: "ALTER TABLE support_tickets DROP CONSTRAINT support_tickets_user_id_users_id_fk",
            Command.COUNT_IDS: "ALTER TABLE wager_races ALTER id DROP DEFAULT",
            Command.VALIDATE_CONSTRAINT: "ALTER TABLE wheel_spins DROP CONSTRAINT wheel_spins_user_id_users_id_fk,"
            " ADD CONSTRAINT wheel_spins_user_id_users_id_fk FOREIGN KEY (user_id) REFERENCES users NOT VALID",
            Command.END_FORCED_ROW_SECURITY: "ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
            Command.IDENTIFY_ROWS: "ALTER TABLE wheel_spins REPLICA IDENTITY NOTHING;"
            "CREATE PUBLICATION everything FOR ALL TABLES",
            Command.DROP_RULE: 'CREATE RULE "No more" AS ON DELETE TO support_tickets DO INSTEAD NOTHING',
            Command.RUN_TRIGGER_AS_OWNER: "CREATE SCHEMA private; CREATE TABLE private.log (note text);"
            "CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN INSERT INTO private.log VALUES (TG_OP); RETURN NULL; END';"
            "CREATE TRIGGER log AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION log()",
            Command.END_INHERITANCE: "CREATE TABLE older_races () INHERITS (wager_races)",
            Command.LOG_TABLES: "ALTER TABLE newsletter_subscriptions SET UNLOGGED",
            Command.REPLACE_KEY: "ALTER TABLE users DROP CONSTRAINT users_email_unique,"
            " ADD CONSTRAINT users_email_unique UNIQUE (email) DEFERRABLE",
            Command.RENAME_THEIR_COLUMN: "ALTER TABLE users ADD is_shell text",
            Command.RENAME_THEIRS: "CREATE TYPE rewards AS ENUM ('free'); CREATE DOMAIN payouts AS text;"
            "CREATE TYPE audit_log AS (note text); CREATE TABLE sessions (id integer); CREATE SEQUENCE figures;"
            "CREATE VIEW sender_state AS SELECT 1 AS one; CREATE MATERIALIZED VIEW tier_versions AS SELECT 1 AS one;"
            "CREATE INDEX users_listed_idx ON users (username);"
            "CREATE FUNCTION code_key(code text, salt text) RETURNS text LANGUAGE sql AS 'SELECT code';"
            "CREATE FUNCTION code_key(code integer) RETURNS integer LANGUAGE sql AS 'SELECT code';"
            "CREATE PROCEDURE start_tier() LANGUAGE sql AS 'SELECT 1';"
            "CREATE AGGREGATE mark_shell(integer) (SFUNC = int4pl, STYPE = integer)",
            Command.RESET_SETTING: "ALTER DATABASE {database} SET session_replication_role TO replica",
        },
        ADOPT,
    ),
    "another schema": Group("guide", {Command.MOVE_TABLES_TO_PUBLIC: MOVE_TO_APP}),
    "a login without rights": Group(
        "guide",
        {
            Command.OWN_DATABASE: "CREATE ROLE newcomer LOGIN",
            Command.LET_ALTER_ROLES: "ALTER ROLE api CONNECTION LIMIT 0",
            Command.OWN_SEQUENCES: "CREATE ROLE counter; ALTER SEQUENCE users_id_seq OWNED BY NONE;"
            "ALTER SEQUENCE users_id_seq OWNER TO counter",
        },
        ADOPT | {Command.GRANT_CREATE, Command.CREATE_ROLES, Command.OWN_TABLES, Command.READ_TABLES},
        login="newcomer",
    ),
    **{
        f"read only by {what}": Group("adopted", {Command.WRITE_AGAIN: damage}, login=login)
        for what, login, damage in (
            ("its database", "postgres", f"ALTER DATABASE {{database}} {READ_ONLY}"),
            ("its login", "reader", f"CREATE ROLE reader LOGIN SUPERUSER; ALTER ROLE reader {READ_ONLY}"),
            (
                "its login there",
                "guest",
                f"CREATE ROLE guest LOGIN SUPERUSER; ALTER ROLE guest IN DATABASE {{database}} {READ_ONLY}",
            ),
            ("all logins", "postgres", f"ALTER ROLE ALL {READ_ONLY}"),
        )
    },
    "behind": Group(
        "adopted",
        {Command.GO_ON: f"UPDATE alembic_version SET version_num = '{[*steps().walk_revisions()][1].revision}'"},
    ),
    "two revisions": Group(
        "adopted", {Command.KEEP_ONE_REVISION: "INSERT INTO alembic_version VALUES ('of_tomorrow')"}
    ),
    "no revision": Group("adopted", {Command.RESTORE_REVISION: "DELETE FROM alembic_version"}),
    "adopted": Group(
        "adopted",
        {
            Command.GIVE_FREE_KEY: MEMBERS + "UPDATE users SET username = 'ANN 1' WHERE id = 2;"
            "UPDATE users SET username = 'Bea' WHERE id = 1",
            Command.MOVE_SEQUENCE: MEMBERS.replace("(username", "(id, username")
            .replace("SELECT", "SELECT 100 + n,")
            .replace("Ann ", "Eve ")
            .replace("ann", "eve"),
            Command.MARK_SHELLS: "UPDATE users SET is_shell = true WHERE id = 3",
            Command.BUILD_INDEX: "DROP INDEX users_staff_idx",
            # The second is what REINDEX CONCURRENTLY leaves: it is dropped, not rebuilt.
            Command.REBUILD_INDEX: "CREATE INDEX users_active_idx_ccnew ON users (last_active) WHERE is_active;"
            "UPDATE pg_index SET indisvalid = false"
            " WHERE indexrelid IN ('users_created_at_idx'::regclass, 'users_active_idx_ccnew'::regclass)",
            Command.ADD_CHECK: "ALTER TABLE identity_key DROP CONSTRAINT identity_key_one_row",
            Command.INSERT_FIRST_ROW: "TRUNCATE sender_state",
            Command.SET_TIME_ZONE: "ALTER DATABASE {database} SET timezone TO 'Europe/London'",
            Command.RESET_TIME_ZONE_OF_ROLE: "ALTER ROLE api IN DATABASE {database} SET timezone TO 'Asia/Tokyo'",
            DifferenceKind.FUNCTION_MISSING: "DROP FUNCTION without_texts",
            DifferenceKind.FUNCTION_HAS_ANOTHER_BODY: "CREATE OR REPLACE FUNCTION code_key(code text) RETURNS text"
            " LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT upper(code)'",
            DifferenceKind.FUNCTION_HAS_OTHER_OPTIONS: "ALTER FUNCTION identity_hash SECURITY INVOKER",
            DifferenceKind.TRIGGER_MISSING: "DROP TRIGGER fill_email_key_of_new ON newsletter_subscriptions",
            DifferenceKind.TRIGGER_IS_ANOTHER: "CREATE OR REPLACE TRIGGER fill_email_key_of_new AFTER INSERT ON users"
            " FOR EACH ROW WHEN (false) EXECUTE FUNCTION fill_users_email_key()",
            DifferenceKind.TRIGGER_DISABLED: "ALTER TABLE users DISABLE TRIGGER mark_shell",
            FaultKind.MAY_NOT_LOG_IN: "ALTER ROLE api NOLOGIN",
            FaultKind.IS_LIMITED: "ALTER ROLE api CONNECTION LIMIT 0",
            FaultKind.ENDS: "ALTER ROLE api VALID UNTIL '2001-01-01'",
            FaultKind.LACKS_SETTING: "ALTER ROLE api RESET statement_timeout",
            FaultKind.HAS_ANOTHER_SETTING_HERE: "ALTER ROLE api IN DATABASE {database} SET search_path TO nowhere",
            FaultKind.LACKS_RIGHT: "REVOKE INSERT ON users FROM api",
            FaultKind.HAS_RIGHT: "GRANT UPDATE ON audit_log TO api",
            FaultKind.LACKS_USE: "REVOKE ALL ON SEQUENCE users_id_seq FROM api",
            FaultKind.LACKS_EXECUTE: "REVOKE EXECUTE ON FUNCTION identity_hash FROM api",
            FaultKind.HAS_EXECUTE: "GRANT EXECUTE ON FUNCTION redact_audit_log TO jobs",
            FaultKind.IS_SUPERUSER: "ALTER ROLE jobs SUPERUSER",
            FaultKind.PASSES_ROW_SECURITY: "ALTER ROLE jobs BYPASSRLS",
            FaultKind.DATABASE_IS_SHUT: "ALTER DATABASE {database} CONNECTION LIMIT 0",
            FaultKind.LACKS_POLICY: "ALTER TABLE sessions ENABLE ROW LEVEL SECURITY",
            FaultKind.OTHERS_HAVE_RIGHTS: "CREATE ROLE anon; GRANT SELECT ON users, sessions, identity_key TO anon;"
            "GRANT INSERT ON outbox TO PUBLIC",
            FaultKind.OTHERS_HAVE_EXECUTE: "GRANT EXECUTE ON FUNCTION identity_hash TO anon",
            # A trigger of the column, and views of it, are dropped and made again.
            Command.ALTER_PRECISION: "ALTER TABLE users ALTER total_wager TYPE numeric;"
            "CREATE TRIGGER only_changes BEFORE UPDATE OF total_wager ON users"
            " FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();"
            "CREATE VIEW totals AS SELECT id, total_wager FROM users; GRANT SELECT ON totals TO anon;"
            "CREATE MATERIALIZED VIEW sums AS SELECT sum(total_wager) FROM totals; CREATE UNIQUE INDEX ON sums (sum)",
        },
    ),
    "a missing role": Group(
        "adopted",
        {FaultKind.MISSING: "ALTER ROLE jobs RENAME TO jobs_of_old"},
        frozenset({FaultKind.OTHERS_HAVE_RIGHTS, FaultKind.OTHERS_HAVE_EXECUTE}),  # that role's
    ),
}
numbers = count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of our own, because its roles are changed, with a template of each kind."""
    with running(tmp_path_factory.mktemp("commands"), durable=False) as server:
        for name in ("empty", "guide", "adopted"):
            with engine(server.url("postgres")).connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(f"CREATE DATABASE {name}"))
        for name in ("guide", "adopted"):
            run_sql(server.url(name), GUIDE_SQL)
        upgrade(server.url("adopted"))
        with engine(server.url("adopted")).begin() as connection:
            ensure_roles(connection)
        yield server


def test_every_kind_of_command_has_a_case() -> None:
    cases = {kind for group in GROUPS.values() for kind in group.kinds}
    assert {*Command, *FaultKind, *DifferenceKind} - cases == set()


def test_a_configuration_that_is_read_only_is_mended_as_printed(server: Server) -> None:
    url = server.url("adopted")
    with engine(server.url("postgres")).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("ALTER SYSTEM SET default_transaction_read_only TO on")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    report, _ = looked_at(url)
    assert Command.WRITE_AGAIN in kinds(report)

    follow(report, url, url)

    assert Command.WRITE_AGAIN not in kinds(looked_at(url)[0])


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_its_commands_are_run_as_they_are_printed_and_not_printed_again(
    group: Group, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YES", "1")
    name = f"damaged_{next(numbers)}"
    with engine(server.url("postgres")).connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        autocommit.execute(text(f"CREATE DATABASE {name} TEMPLATE {group.template}"))
        autocommit.execute(text(f"ALTER DATABASE {name} SET timezone TO 'UTC'"))
    superuser_url = server.url(name)
    url = make_url(superuser_url).set(username=group.login).render_as_string()
    for damage in group.damages.values():
        run_sql(superuser_url, damage.replace("{database}", name))
    report, _ = looked_at(url)
    assert kinds(report) == group.kinds, list(lines(report))

    follow(report, url, superuser_url)

    report, _ = looked_at(url)
    if group.template == "guide" and Command.ADOPT not in group.kinds:  # what comes next
        assert kinds(report) == ADOPT, list(lines(report))
    else:
        assert (report.state, kinds(report)) == (State.NEWEST, set()), list(lines(report))

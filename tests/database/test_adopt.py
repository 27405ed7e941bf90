"""`make db-adopt`: says beforehand what will happen, refuses what is not the guide's, and loses nothing."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import ProgrammingError

from database import adopt as adopt_command
from database import reset as reset_command
from database import upgrade as upgrade_command
from database.adopt import LOCKS, adopt
from database.check import State, looked_at
from database.checks.rows import KEYS
from database.checks.schema import guide, steps
from database.embedded import Server
from migrations.roles_and_timeouts import ensure_roles
from migrations.upgrade import engine, upgrade
from tests.database.test_adopting import columns_of, rows_of
from tests.support import stack
from tests.support.databases import GUIDE_ROWS, GUIDE_SQL, config_for, dump, run_sql, statements_of

ROOT = Path(adopt_command.__file__).parents[1]


@pytest.fixture(autouse=True)
def unattended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is at a terminal, and nothing was said in advance."""
    monkeypatch.delenv("YES", raising=False)
    monkeypatch.delenv("TIME_ZONE", raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)


@pytest.fixture
def filled(guide_url: str) -> str:
    """A database as the legacy application leaves it."""
    run_sql(guide_url, GUIDE_ROWS)
    return guide_url


def meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YES", "1")


def test_make_adopts_and_every_row_and_column_stays(filled: str, database: Engine) -> None:
    columns = columns_of(database)
    before = rows_of(database, columns)
    command = ["make", "--old-file=.venv/.ready", "db-adopt", f"DATABASE_URL={filled}", "YES=1"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert rows_of(database, columns) == before
    report, _ = looked_at(filled)
    assert report.state is State.NEWEST
    assert report.obstacles == report.remarks == []
    # First what will happen, in order, then that it did, and what is left to decide.
    parts = [
        "revision none",
        "DECIDE  users",
        "  users: ",
        *LOCKS,
        "its schema is the newest",
        "DECIDE  users",
        "Adopted: ",
    ]
    places = [0]
    for part in parts:
        places.append(done.stdout.index(part, places[-1]))
    assert "Running upgrade" in done.stderr


def test_without_a_word_what_will_happen_is_said_and_nothing_changes(
    filled: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dump(filled)
    with pytest.raises(SystemExit, match=r"This adopts .*: set YES=1 to say that it is meant"):
        adopt(filled)
    output = capsys.readouterr().out
    assert all(f"  {step}: " in output for step in LOCKS)
    assert all(f"  {table}: " in output for table in guide().tables)
    assert dump(filled) == before
    assert looked_at(filled)[0].state is State.GUIDE


@pytest.mark.parametrize(("word", "is_meant"), [("yes", True), ("y", False), ("", False)])
def test_at_a_terminal_a_word_decides(filled: str, word: str, is_meant: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: word)
    if is_meant:
        assert adopt(filled).startswith("Adopted")
    else:
        with pytest.raises(SystemExit, match=r"Nothing was changed\."):
            adopt(filled)
    assert looked_at(filled)[0].state is (State.NEWEST if is_meant else State.GUIDE)


def test_each_step_says_what_it_locks() -> None:
    assert list(LOCKS) == [step.revision for step in steps().walk_revisions()][::-1]


DIFFERENCES = {
    "ALTER TABLE users DROP COLUMN uid": "column users.uid is missing",
    "DROP TABLE historical_races": "table historical_races is missing",
    "ALTER TABLE wheel_spins DROP CONSTRAINT wheel_spins_user_id_users_id_fk": "wheel_spins lacks its foreign key",
    "CREATE TABLE sessions (sid text)": "table sessions is where one of ours will be",
}


def test_every_difference_is_named_and_nothing_changes(
    filled: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    meant(monkeypatch)
    run_sql(filled, ";".join(DIFFERENCES))
    before = dump(filled)
    with pytest.raises(SystemExit, match=r"Nothing was changed: see to the lines above first"):
        adopt(filled)
    output = capsys.readouterr().out
    for difference in DIFFERENCES.values():
        assert f"MEND    {difference}" in output
    assert dump(filled) == before
    assert looked_at(filled)[0].state is State.GUIDE


def test_a_login_without_the_rights_changes_nothing(
    filled: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    meant(monkeypatch)
    name = make_url(filled).database
    run_sql(filled, f"CREATE ROLE newcomer LOGIN; GRANT ALL ON DATABASE {name} TO newcomer")
    try:
        with pytest.raises(SystemExit, match="Nothing was changed"):
            adopt(filled.replace("postgres@", "newcomer@"))
        assert "newcomer does not own bonus_codes, " in capsys.readouterr().out
        assert looked_at(filled)[0].state is State.GUIDE
    finally:
        run_sql(filled, "DROP OWNED BY newcomer; DROP ROLE newcomer")


def test_an_owner_who_is_no_superuser_adopts(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a hosted database: the owner of everything, with CREATEROLE."""
    meant(monkeypatch)
    name = make_url(filled).database
    run_sql(
        filled,
        f"CREATE ROLE owner LOGIN CREATEROLE; ALTER DATABASE {name} OWNER TO owner;"
        "DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP"
        " EXECUTE format('ALTER TABLE %I OWNER TO owner', t); END LOOP; END $$; ALTER SCHEMA public OWNER TO owner;",
    )
    try:
        assert adopt(filled.replace("postgres@", "owner@")).startswith("Adopted")
        assert looked_at(filled.replace("postgres@", "owner@"))[0].obstacles == []
    finally:
        run_sql(filled, "REASSIGN OWNED BY owner TO postgres; DROP OWNED BY owner")


def test_an_empty_database_is_not_adopted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    meant(monkeypatch)
    with pytest.raises(SystemExit, match=r"There is nothing to adopt in .*: `make db-upgrade` makes the tables"):
        adopt(url)
    assert dump(url) == statements_of("")


def test_an_adopted_database_is_left_alone(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    meant(monkeypatch)
    upgrade(filled)
    monkeypatch.delattr(adopt_command, "upgrade")
    assert "is adopted already: nothing to do" in adopt(filled)


def test_a_revision_of_tomorrow_is_left_alone(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    meant(monkeypatch)
    upgrade(filled)
    run_sql(filled, "UPDATE alembic_version SET version_num = 'of_tomorrow'")
    with pytest.raises(SystemExit, match="Nothing was changed"):
        adopt(filled)


@pytest.mark.parametrize(
    ("output", "typed", "is_meant"),
    [
        (None, None, False),
        ("UTC", None, False),
        ("America/New_York", None, True),
        (None, "yes", False),
        (None, "America/New_York", True),
    ],
)
def test_a_clock_that_is_not_utc_must_be_meant_in_so_many_words(
    filled: str, output: str | None, typed: str | None, is_meant: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    meant(monkeypatch)
    run_sql(filled, f"ALTER DATABASE {make_url(filled).database} SET timezone TO 'America/New_York'")
    if output:
        monkeypatch.setenv("TIME_ZONE", output)
    if typed:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        monkeypatch.setattr("builtins.input", lambda _: typed)
    if is_meant:
        assert adopt(filled).startswith("Adopted")
    else:
        with pytest.raises(SystemExit, match=r"say so by TIME_ZONE=America/New_York\. Nothing was changed\."):
            adopt(filled)
    assert looked_at(filled)[0].state is (State.NEWEST if is_meant else State.GUIDE)


BUILDS = "FROM pg_stat_activity WHERE query LIKE 'CREATE % CONCURRENTLY%' AND datname = current_database()"


@contextmanager
def adopting(url: str, database: Engine) -> Iterator[subprocess.Popen[str]]:
    """Adopt in another process, which waits for an older transaction where it builds an index."""
    arguments = [sys.executable, "-m", "database.adopt"]
    environment = os.environ | {"DATABASE_URL": url, "YES": "1"}
    with database.connect() as older, database.connect() as watching:
        older.execution_options(isolation_level="REPEATABLE READ").execute(text("SELECT 1 FROM historical_races"))
        pipe = subprocess.PIPE
        # Whoever runs tests in the background ignores Ctrl-C, and so would what is started from them.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)
        signal.signal(signal.SIGINT, before)
        try:
            waits = text(f"SELECT count(*) {BUILDS} AND wait_event = 'virtualxid'")
            for _ in range(300):
                if watching.scalar(waits):
                    break
                watching.rollback()
                time.sleep(0.1)
            yield process
        finally:
            process.kill()
            process.communicate()


def test_an_interrupted_adoption_says_so_and_goes_on(
    filled: str, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with adopting(filled, database) as process:
        process.send_signal(signal.SIGINT)
        _, output = process.communicate(timeout=30)
    assert output.endswith("\nInterrupted. Run it again: it goes on where it stopped.\n")
    assert "Traceback" not in output
    meant(monkeypatch)
    assert adopt(filled).startswith("Adopted")


def test_a_session_that_the_server_ends_is_one_sentence(
    filled: str, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with adopting(filled, database) as process:
        with database.connect() as connection:
            connection.execute(text(f"SELECT pg_terminate_backend(pid) {BUILDS}"))
        _, output = process.communicate(timeout=30)
    assert output.splitlines()[-1].endswith(
        " could not be upgraded: the server ended the session, or the network did. "
        "Run it again: it goes on where it stopped."
    )
    assert "Traceback" not in output
    meant(monkeypatch)
    assert adopt(filled).startswith("Adopted")


def test_each_table_that_is_filled_is_told(
    filled: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    meant(monkeypatch)
    caplog.set_level("INFO", "migrations.online")
    adopt(filled)
    ours = [
        "accepted_falls",
        "wager_races",
        "wager_races",
        "bonus_codes",
        "bonus_codes",
        "outbox",
        "users",
        "users",
        "users",
        "users",
        "rewards",
        "wager_race_participants",
        "wager_race_participants",
        "wager_race_participants",
        "support_tickets",
        "wager_accounts",
        "wager_accounts",
        "wager_accounts",
    ]
    tables = [*ours, *(key.made_of.table.name for key in KEYS)]
    done = [message for message in caplog.messages if message.endswith(": all rows are done")]
    assert sorted(done) == sorted(f"{table}: all rows are done" for table in tables)


def test_an_adoption_that_was_cut_off_goes_on(
    filled: str, database: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    meant(monkeypatch)
    with database.connect() as connection:
        command.upgrade(config_for(connection), "platform_tables")
    assert adopt(filled).startswith("Adopted")
    output = capsys.readouterr().out
    assert "  keys_for_adopted_rows: " in output
    assert "  platform_tables: " not in output
    assert looked_at(filled)[0].state is State.NEWEST


def test_a_pooler_is_refused(
    pooled_servers: stack.Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    meant(monkeypatch)
    name = f"pooled_{secrets.token_hex(4)}"
    with engine(pooled_servers.direct("postgres")).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(f"CREATE DATABASE {name}"))
    run_sql(pooled_servers.direct(name), GUIDE_SQL)
    with pytest.raises(SystemExit, match="Nothing was changed"):
        adopt(pooled_servers.pooled(name, "postgres"))
    assert "MEND    a pooler is in between" in capsys.readouterr().out
    assert looked_at(pooled_servers.direct(name))[0].state is State.GUIDE


def test_a_database_out_of_reach_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me@127.0.0.1:1/db")
    with pytest.raises(SystemExit, match=r"^The database could not be looked at: nothing listens at 127\.0\.0\.1:1"):
        adopt_command.main()


@pytest.mark.parametrize("main", [upgrade_command.main, reset_command.main])
def test_the_other_commands_say_so_too(main: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    meant(monkeypatch)
    monkeypatch.setenv("DATABASE_URL", "postgresql://me@127.0.0.1:1/db")
    with pytest.raises(SystemExit, match=r"^The database .* cannot be reached: nothing listens at 127\.0\.0\.1:1"):
        main()


def test_interrupted_it_says_how_to_go_on(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setenv("DATABASE_URL", filled)
    monkeypatch.setattr(adopt_command, "upgrade", interrupted)
    meant(monkeypatch)
    with pytest.raises(SystemExit, match="Run it again: it goes on where it stopped"):
        adopt_command.main()


# What docs/adopting.md says to run


def sql_of(heading: str, database: str) -> str:
    """The SQL of a section of docs/adopting.md, for this database."""
    section = (ROOT / "docs/adopting.md").read_text().split(f"\n## {heading}")[1].split("\n## ")[0]
    blocks = [part.split("```")[0] for part in section.split("```sql\n")[1:]]
    return "\n".join(blocks).replace("DATABASE goatedvips", f"DATABASE {database}")


def run_script(url: str, script: str) -> None:
    """Run a script that has transactions of its own."""
    with engine(url).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(script)


OLD_WRITES = (
    "INSERT INTO users (username, password, email) VALUES ('new', 'x', 'new@x.com'), ('NEW', 'x', 'NEW@x.com')",
    "UPDATE users SET username = 'Newer' WHERE username = 'new'",
    "INSERT INTO wheel_spins (user_id, segment_index) VALUES (1, 0), (1, 0), (null, 0)",
    "UPDATE wheel_spins SET reward_code = 'x'",
    "INSERT INTO bonus_codes (code, user_id, expires_at) VALUES ('a-b', 1, now()), ('A B', 1, now())",
    "UPDATE bonus_codes SET is_used = true",
    """INSERT INTO wager_races (title, type, status, prize_pool, start_date, end_date, min_wager, prize_distribution)
        VALUES ('x', 'weekly', 'live', 1, now(), now(), 0, '{}')""",
    "UPDATE wager_races SET status = 'completed'",
    "INSERT INTO wager_race_participants (race_id, user_id, total_wager) VALUES (1, 3, 0), (1, 3, 0)",
    "UPDATE wager_race_participants SET total_wager = 1",
    """INSERT INTO historical_races (month, year, prize_pool, start_date, end_date, participants, total_wagered,
        participant_count) VALUES ('1', '2025', 1, now(), now(), '[]', 1, '1')""",
    "INSERT INTO support_tickets (user_id, subject, description) VALUES (1, 'x', 'x')",
    "UPDATE support_tickets SET status = 'closed'",
    "INSERT INTO ticket_messages (ticket_id, user_id, message) VALUES (1, 1, 'x')",
    "INSERT INTO newsletter_subscriptions (email) VALUES ('x@x.com'), ('X@x.com')",
    "UPDATE newsletter_subscriptions SET is_subscribed = false",
    "INSERT INTO notification_preferences (promotional_offers) VALUES (false)",
    "DELETE FROM wheel_spins WHERE user_id IS NULL",
    "DELETE FROM wager_race_participants",
    "DELETE FROM users WHERE username = 'NEW'",
)
FORBIDDEN = (
    "DROP TABLE sessions",
    "DROP TABLE users CASCADE",
    "ALTER TABLE users DROP COLUMN username_key",
    "ALTER TABLE users DISABLE TRIGGER USER",
    "DROP FUNCTION code_key CASCADE",
    "CREATE TABLE mine ()",
    "CREATE SCHEMA mine",
    "TRUNCATE users CASCADE",
    "SELECT * FROM sessions",
    "UPDATE alembic_version SET version_num = ''",
)


@pytest.fixture
def handed_over(filled: str, bare_server: Server) -> Iterator[str]:
    """A database that its application owned, after step 2."""
    name = str(make_url(filled).database)
    with engine(bare_server.url("postgres")).begin() as connection:
        connection.execute(text("CREATE ROLE legacy LOGIN"))
        connection.execute(text(f"ALTER DATABASE {name} OWNER TO legacy"))
    run_sql(
        filled,
        "DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP"
        " EXECUTE format('ALTER TABLE %I OWNER TO legacy', t); END LOOP; END $$; ALTER SCHEMA public OWNER TO legacy;",
    )
    run_script(filled, sql_of("2. ", name))
    yield filled
    run_sql(filled, "REASSIGN OWNED BY goatedvips_owner TO postgres; DROP OWNED BY goatedvips_owner, legacy;")
    with engine(bare_server.url("postgres")).begin() as connection:
        connection.execute(text("DROP ROLE legacy"))
        connection.execute(text("REVOKE goatedvips_owner FROM postgres"))
        connection.execute(text("ALTER ROLE goatedvips_owner RENAME TO goatedvips_owner_" + secrets.token_hex(4)))


def test_the_legacy_application_keeps_the_rights_that_it_needs_and_no_others(
    handed_over: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    meant(monkeypatch)
    legacy = handed_over.replace("postgres@", "legacy@")
    for statement in OLD_WRITES[:2]:
        run_sql(legacy, statement)

    assert adopt(handed_over.replace("postgres@", "goatedvips_owner@")).startswith("Adopted")

    for statement in OLD_WRITES[2:]:
        run_sql(legacy, statement)
    for statement in FORBIDDEN:
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            run_sql(legacy, statement)


def test_the_database_as_it_was_comes_back(filled: str, database: Engine) -> None:
    columns = columns_of(database)
    before = rows_of(database, columns)
    upgrade(filled)
    with engine(filled).begin() as connection:
        ensure_roles(connection)

    run_script(filled, sql_of("The database as it was", str(database.url.database)))

    assert dump(filled) == statements_of(GUIDE_SQL)
    assert rows_of(database, columns) == before
    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_default_acl")) == 0
        assert not connection.scalar(text("SELECT has_table_privilege('api', 'users', 'SELECT')"))
    assert looked_at(filled)[0].state is State.GUIDE
    upgrade(filled)  # and may be adopted again
    assert looked_at(filled)[0].state is State.NEWEST


def test_stored_times_are_shifted(filled: str, database: Engine) -> None:
    """Every column that now() fills, summer and winter; the application's own stay."""
    name = str(database.url.database)
    run_sql(filled, f"ALTER DATABASE {name} SET timezone TO 'America/New_York'")
    script = sql_of("1. ", name)
    with database.connect() as connection:
        filled_by_now = connection.execute(
            text(
                "SELECT table_name, column_name FROM information_schema.columns"
                " WHERE table_schema = 'public' AND column_default = 'now()'"
            )
        ).all()
    for table, column in filled_by_now:
        run_sql(filled, f"UPDATE {table} SET {column} = '2025-07-01 20:00'")
    last_active = "UPDATE users SET last_active = '2025-07-01 20:00', created_at = '2025-01-01 20:00' WHERE id = 1"
    run_sql(filled, last_active)

    run_script(filled, script)

    with database.connect() as connection:
        for table, column in filled_by_now:
            shifted = set(connection.scalars(text(f"SELECT {column}::text FROM {table}")))
            assert shifted - {"2025-01-02 01:00:00"} == {"2025-07-02 00:00:00"}, (table, column)
        first = connection.execute(text("SELECT created_at::text, last_active::text FROM users WHERE id = 1")).one()
    assert tuple(first) == ("2025-01-02 01:00:00", "2025-07-01 20:00:00")


@pytest.mark.parametrize("heading", ["4. ", "5. "])
def test_the_queries_to_run_before_going_back_work(filled: str, database: Engine, heading: str) -> None:
    upgrade(filled)
    run_sql(filled, "UPDATE users SET excluded_permanently = true, password = '$argon2id$x' WHERE id = 1")
    with database.connect() as connection:
        (row,) = connection.exec_driver_sql(sql_of(heading, str(database.url.database)))
    assert row[0] == 1

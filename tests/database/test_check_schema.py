"""`make db-check` on a schema: each difference is one line, and the SQL in that line mends it."""

from dataclasses import replace

import pytest
from sqlalchemy import make_url, text

from database import check as check_command
from database import upgrade as upgrade_command
from database.check import looked_at
from database.checks import rights
from database.checks.schema import FUNCTIONS, TRIGGERS
from migrations.upgrade import engine
from tests.database.reports import reported
from tests.support.databases import GUIDE_ROWS, run_sql

DAMAGES = {
    "ALTER TABLE users ALTER profile_color TYPE varchar(9)": ["column users.profile_color is VARCHAR(9), not TEXT"],
    "ALTER TABLE users ALTER created_at TYPE timestamptz": [
        "column users.created_at is TIMESTAMP WITH TIME ZONE, not TIMESTAMP WITHOUT TIME ZONE"
    ],
    "ALTER TABLE users ALTER wager_month TYPE numeric(18,2)": [
        "column users.wager_month is NUMERIC(18, 2), not NUMERIC(18, 8)"
    ],
    "ALTER TABLE wager_races ALTER prize_distribution TYPE json": [
        "column wager_races.prize_distribution is JSON, not JSONB"
    ],
    "ALTER TABLE users ALTER email DROP NOT NULL": ["column users.email lacks NOT NULL"],
    "ALTER TABLE users ALTER bio SET NOT NULL": ["column users.bio is NOT NULL and should not be"],
    "ALTER TABLE wheel_spins ALTER timestamp DROP DEFAULT": ["column wheel_spins.timestamp lacks its default"],
    "ALTER TABLE users ALTER is_admin SET DEFAULT true": ["column users.is_admin has another default"],
    "ALTER TABLE wheel_spins ALTER reward_code SET DEFAULT 'x'": [
        "column wheel_spins.reward_code has a default and should not"
    ],
    "ALTER TABLE wheel_spins ALTER id DROP DEFAULT": ["column wheel_spins.id lacks its default"],
    "DROP SEQUENCE bonus_codes_id_seq CASCADE": ["column bonus_codes.id lacks its default"],
    "ALTER TABLE newsletter_subscriptions DROP CONSTRAINT newsletter_subscriptions_email_unique": [
        "newsletter_subscriptions lacks its unique key (email)"
    ],
    "ALTER TABLE notification_preferences DROP CONSTRAINT notification_preferences_pkey": [
        "notification_preferences lacks its primary key (id)"
    ],
    "ALTER TABLE wager_races DROP CONSTRAINT wager_races_pkey CASCADE": [
        "wager_races lacks its primary key (id)",
        "wager_race_participants lacks its foreign key (race_id) to wager_races",
    ],
    "ALTER TABLE ticket_messages DROP CONSTRAINT ticket_messages_user_id_users_id_fk": [
        "ticket_messages lacks its foreign key (user_id) to users"
    ],
    "ALTER TABLE support_tickets DROP CONSTRAINT support_tickets_user_id_users_id_fk, ADD CONSTRAINT"
    " support_tickets_user_id_users_id_fk FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE": [
        "support_tickets has another foreign key (user_id) to users"
    ],
    "ALTER TABLE wheel_spins DROP CONSTRAINT wheel_spins_user_id_users_id_fk, ADD CONSTRAINT"
    " wheel_spins_user_id_users_id_fk FOREIGN KEY (user_id) REFERENCES users NOT VALID": [
        "constraint wheel_spins_user_id_users_id_fk of wheel_spins does not hold old rows to it (NOT VALID)"
    ],
    "ALTER TABLE users ADD shoe_size integer NOT NULL": [
        "column users.shoe_size is not ours, and no row can be added without it"
    ],
}
# In an adopted database triggers depend on the column, and nobody drops it by mistake; and row level security takes
# policies for the functions' roles.
DAMAGES_BEFORE_ADOPTION = {
    "ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY": [
        "row level security of users hides its rows even from its owner, as whom triggers run"
    ],
    "ALTER TABLE users DROP COLUMN uid": ["users lacks its unique key (uid)", "column users.uid is missing"],
}
DAMAGES_OF_ADOPTED = {
    "DROP INDEX users_staff_idx": ["index users_staff_idx of users is missing"],
    "DROP INDEX users_active_idx; CREATE INDEX users_active_idx ON users (email)": [
        "index users_active_idx of users is another than it should be"
    ],
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'users_created_at_idx'::regclass": [
        "index users_created_at_idx of users is not valid, as a build that was cut off leaves it"
    ],
    "ALTER TABLE users DROP CONSTRAINT users_username_key_unique": ["users lacks its unique key (username_key)"],
    "ALTER TABLE users DROP COLUMN hide_name": ["column users.hide_name is missing"],
    "ALTER TABLE historical_races DROP COLUMN race_id": [
        "historical_races lacks its unique key (race_id)",
        "column historical_races.race_id is missing",
    ],
    "ALTER TABLE identity_key DROP CONSTRAINT identity_key_one_row": [
        "identity_key lacks its check identity_key_one_row"
    ],
    "ALTER TABLE users DISABLE TRIGGER USER": [
        f"trigger {name} of {table} is disabled" for table, name in TRIGGERS if table == "users"
    ],
}


def run_alone(url: str, statements: str) -> None:
    """Run statements one by one, each in a transaction of its own."""
    with engine(url).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in statements.split("; "):
            connection.exec_driver_sql(statement)


def told_and_mended(url: str, damages: dict[str, list[str]]) -> None:
    """Do all the damage; each is told, no other is, and what is said to do mends it."""
    for damage in damages:
        run_sql(url, damage)
    lines = [line.split(": ")[0] for line in reported(url) if "make db-adopt" not in line]
    assert sorted(lines) == sorted(line for expected in damages.values() for line in expected)

    for finding in looked_at(url)[0].obstacles:
        if finding.do.startswith("`make db-upgrade`"):
            upgrade_command.upgrade(url)
        else:
            run_alone(url, finding.do.split(", or ")[0])

    assert [line for line in reported(url) if "make db-adopt" not in line] == []


def test_damages_to_an_adopted_database_are_told_and_mended(adopted: str) -> None:
    # Ours refers to the races too.
    referring = {
        "SELECT": [
            "wager_races lacks its foreign key (follows_id) to wager_races",
            "participant_changes lacks its foreign key (race_id) to wager_races",
            "race_board_blocks lacks its foreign key (race_id) to wager_races",
            "historical_races lacks its foreign key (race_id) to wager_races",
        ]
    }
    told_and_mended(adopted, DAMAGES | DAMAGES_OF_ADOPTED | referring)


def test_damages_to_the_guides_database_are_told_and_mended(bare: str) -> None:
    told_and_mended(bare, DAMAGES | DAMAGES_BEFORE_ADOPTION)


def test_a_missing_table_is_told_with_where_it_comes_from(adopted: str) -> None:
    run_sql(adopted, "DROP TABLE sessions")
    assert reported(adopted) == ["table sessions is missing: bring it back from a backup"]


def test_a_missing_table_of_the_guides_is_told(bare: str) -> None:
    run_sql(bare, "DROP TABLE historical_races")
    missing, *others = reported(bare)
    assert missing.startswith("table historical_races is missing: bring it back from a backup, or make an empty one: ")
    run_sql(bare, missing.split("make an empty one: ")[1])
    assert reported(bare) == others


def everything_told(url: str) -> list[str]:
    """What a look finds, with what is only told, but for what is to be done next."""
    report, _ = looked_at(url)
    return [str(finding) for finding in report.obstacles + report.remarks if "make db-adopt" not in finding.do]


def test_a_renamed_column_is_told_once_and_renamed_back(bare: str) -> None:
    run_sql(
        bare,
        'ALTER TABLE users RENAME bio TO biography; ALTER TABLE users RENAME uid TO "casinoUid";'
        "ALTER TABLE wheel_spins RENAME user_id TO member; ALTER TABLE users ADD shoes integer",
    )
    lines = everything_told(bare)
    assert [line.split(", if that is it, or else ALTER TABLE")[0] for line in lines] == [
        "column users.bio is missing: ALTER TABLE users RENAME COLUMN biography TO bio",
        'column users.uid is missing: ALTER TABLE users RENAME COLUMN "casinoUid" TO uid',
        "column wheel_spins.user_id is missing: ALTER TABLE wheel_spins RENAME COLUMN member TO user_id",
        "column users.shoes is not ours: it stays as it is",
    ]
    for line in lines[:3]:
        run_sql(bare, line.split(": ")[1].split(", if")[0])
    assert everything_told(bare) == lines[3:]


def test_a_lost_column_that_must_be_filled_can_be_where_there_are_rows(bare: str) -> None:
    run_sql(bare, f"{GUIDE_ROWS}; ALTER TABLE users DROP password; ALTER TABLE ticket_messages DROP message")
    run_sql(bare, "DELETE FROM ticket_messages")
    lines = everything_told(bare)
    empty, filled = lines
    assert empty.endswith(".message is missing: ALTER TABLE ticket_messages ADD COLUMN message TEXT NOT NULL")
    assert filled == (
        "column users.password is missing: ALTER TABLE users ADD COLUMN password TEXT, then give it a value in each "
        "row, which a backup may have, then ALTER TABLE users ALTER COLUMN password SET NOT NULL"
    )
    add, _, demand = filled.split(": ")[1].split(", then ")
    fill = "UPDATE users SET password = 'x'"
    run_sql(bare, f"{empty.split(': ')[1]}; {add}; {fill}; {demand}")
    assert everything_told(bare) == []


@pytest.mark.parametrize(
    ("moved", "back"),
    [
        ("ALTER TABLE users RENAME TO members", "ALTER TABLE members RENAME TO users"),
        ("CREATE SCHEMA old; ALTER TABLE users SET SCHEMA old", "ALTER TABLE old.users SET SCHEMA public"),
    ],
)
@pytest.mark.parametrize("which", ["bare", "adopted"])
def test_a_moved_table_is_one_line_and_moved_back(
    which: str, moved: str, back: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(which)
    run_sql(url, moved)
    assert everything_told(url) == [f"table users is missing: {back}, if that is the one, or bring it from a backup"]
    run_sql(url, back)
    assert everything_told(url) == []


def test_rows_that_break_a_lost_key_are_named_before_it(bare: str) -> None:
    run_sql(
        bare,
        "ALTER TABLE users DROP CONSTRAINT users_uid_unique, ALTER email DROP NOT NULL;"
        "ALTER TABLE wheel_spins DROP CONSTRAINT wheel_spins_user_id_users_id_fk;"
        "ALTER TABLE historical_races DROP CONSTRAINT historical_races_pkey;"
        "ALTER TABLE support_tickets DROP CONSTRAINT support_tickets_user_id_users_id_fk;"
        "INSERT INTO users (username, password, email, uid) VALUES ('a', 'x', 'a', '7'), ('b', 'x', null, '8'),"
        " ('c', 'x', 'c', '7'), ('d', 'x', 'd', null), ('e', 'x', 'e', null);"
        "INSERT INTO wheel_spins (user_id, segment_index) VALUES (1, 0), (77, 0), (null, 0);"
        "INSERT INTO support_tickets (user_id, subject, description) SELECT 99, 'x', 'x' FROM generate_series(1, 22);"
        "ALTER TABLE support_tickets ADD CONSTRAINT support_tickets_user_id_users_id_fk FOREIGN KEY (user_id)"
        " REFERENCES users NOT VALID",
    )
    first = "first see to what breaks it"
    ids = ", ".join(map(str, range(1, 21)))
    told_so = [
        f"column users.email lacks NOT NULL: {first}, 1 row, id 2; then ALTER TABLE users ALTER COLUMN email SET",
        "historical_races lacks its primary key (id): ALTER TABLE historical_races ADD",
        f"users lacks its unique key (uid): {first}, 2 rows, id 1, 3; then ALTER TABLE users ADD CONSTRAINT",
        f"wheel_spins lacks its foreign key (user_id) to users: {first}, 1 row, id 2; then ALTER TABLE wheel_spins ADD",
        "constraint support_tickets_user_id_users_id_fk of support_tickets does not hold old rows to it (NOT VALID)",
    ]
    lines = everything_told(bare)
    for line, start in zip(lines, told_so, strict=True):
        assert line.startswith(start)
    assert f": {first}, 22 rows, id {ids}, and 2 more, which ARGS=--all names; then ALTER TABLE" in lines[-1]
    assert ", 20, 21, 22; then ALTER" in "\n".join(check_command.lines(looked_at(bare)[0], first=None))


def test_rows_that_break_a_lost_index_are_named_before_it(adopted: str) -> None:
    run_sql(
        adopted,
        "DROP INDEX account_links_pending_key; INSERT INTO users (username, password, email) VALUES ('a', 'x', 'a');"
        "INSERT INTO account_links (user_id, uid, requested_at, decision) VALUES"
        " (1, '1', now(), 'refused'), (1, '1', now(), null), (1, '1', now(), null)",
    )
    (line,) = reported(adopted)
    assert line.startswith("index account_links_pending_key of account_links is missing: first see to what breaks it, ")
    assert "2 rows, id 2, 3; then CREATE UNIQUE INDEX CONCURRENTLY" in line


def test_what_stands_where_ours_will_be_is_one_line(bare: str) -> None:
    run_sql(bare, "ALTER TABLE users ADD suspended_at date")
    (line,) = everything_told(bare)
    assert line.startswith("column users.suspended_at is where one of ours will be")


@pytest.mark.parametrize(
    "table", ["wheel_versions", "tier_versions", "identity_key", "unsubscribe_keys", "sender_state"]
)
def test_an_emptied_table_is_told_and_its_first_row_made_anew(adopted: str, table: str) -> None:
    run_sql(adopted, f"TRUNCATE {table} CASCADE")
    (line,) = reported(adopted)
    assert line.startswith(f"{table} is empty: ")
    assert ("forgotten" in line) == (table == "identity_key")
    run_sql(adopted, line.split(", or ")[1].split(", a new key")[0])
    assert reported(adopted) == []
    with engine(adopted).connect() as connection:
        connection.execute(text(f"SELECT * FROM {table}")).one()
        is_key = table in {"identity_key", "unsubscribe_keys"}
        assert not is_key or connection.scalar(text(f"SELECT length(key) FROM {table}")) == 32


@pytest.mark.parametrize("which", ["bare", "adopted"])
def test_what_others_do_to_rows_is_noted(which: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(which)
    run_sql(
        url,
        "CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "ALTER TABLE users ADD CONSTRAINT short CHECK (length(bio) < 10);"
        "CREATE TRIGGER before BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION theirs();"
        "CREATE TRIGGER later AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION theirs()",
    )
    change = "it can change or drop what is written here: see what it does"
    assert everything_told(url) == [
        "constraint short of users is not ours: our rows obey it too",
        f"trigger before of users is not ours: {change}",
        "trigger later of users is not ours: our rows obey it too",
    ]
    assert not [line for line in reported(url) if "make db-adopt" not in line]


@pytest.mark.parametrize("which", ["bare", "adopted"])
def test_what_refuses_rows_is_named(which: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(which)
    run_sql(
        url,
        "CREATE SCHEMA log; CREATE TABLE log.spins (id integer);"
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO Log.spins VALUES (NEW.id); RETURN NULL; END';"
        "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN NEW.log := public.now(); RETURN NEW; END';"
        "CREATE TRIGGER note AFTER INSERT ON wheel_spins FOR EACH ROW EXECUTE FUNCTION note();"
        "CREATE TRIGGER stamp BEFORE INSERT ON users FOR EACH ROW WHEN (false) EXECUTE FUNCTION stamp();"
        "CREATE RULE more AS ON UPDATE TO wheel_spins DO ALSO NOTIFY spins",
    )
    found = [line.rsplit(": ", 1) for line in reported(url) if "make db-adopt" not in line]
    rule, trigger = "rule more of wheel_spins", "trigger note of wheel_spins uses the schema log"
    assert found == [
        [f"{rule}: no CTE and no ON CONFLICT can write to a table with rules", "DROP RULE more ON wheel_spins"],
        [f"{trigger}, in which the functions' roles have no rights", "ALTER FUNCTION note() SECURITY DEFINER"],
    ]


def test_a_read_only_database_is_told_and_opened(adopted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run_sql(adopted, f"ALTER DATABASE {make_url(adopted).database} SET default_transaction_read_only TO on")
    (line,) = reported(adopted)
    assert line.startswith("the database is read-only: if it should not be: SET default_transaction_read_only TO off; ")
    monkeypatch.setenv("DATABASE_URL", adopted)
    with pytest.raises(SystemExit, match="could not be upgraded: the database is read-only: if it should not be"):
        upgrade_command.main()
    with engine(adopted).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in line.split("not be: ")[1].split("; "):
            connection.exec_driver_sql(statement)
    assert reported(adopted) == []


def test_a_standby_is_told(adopted: str) -> None:
    standby = replace(looked_at(adopted)[0].login, is_replica=True)
    (line,) = map(str, rights.rights(standby, []))
    assert line == "the server is a standby, a read replica, which is read-only: give the address of the primary"


def test_what_others_have_in_the_database_is_only_noted(adopted: str) -> None:
    run_sql(
        adopted,
        "CREATE TABLE visits (id integer); CREATE INDEX visits_id ON visits (id);"
        "CREATE TYPE mood AS ENUM ('glad'); ALTER TABLE users ADD mood mood, ADD size integer NOT NULL DEFAULT 1;"
        "ALTER TABLE support_tickets ADD UNIQUE (subject); CREATE INDEX of_theirs ON users (bio);"
        "ALTER TABLE users RENAME CONSTRAINT users_username_unique TO a_name_of_theirs",
    )
    report, _ = looked_at(adopted)
    assert report.is_in_order
    assert [finding.what for finding in report.remarks] == [
        "column users.mood is not ours",
        "column users.size is not ours",
        "constraint support_tickets_subject_key of support_tickets is not ours",
    ]


def test_the_triggers_and_functions_are_all_declared(adopted: str) -> None:
    with engine(adopted).connect() as connection:
        triggers = connection.execute(
            text(
                "SELECT relname, tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE NOT tgisinternal"
            )
        )
        assert {(table, name) for table, name in triggers} == TRIGGERS
        present = connection.scalars(text("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"))
        assert set(present) == FUNCTIONS


def test_missing_functions_are_reported_and_made_anew_with_their_triggers(adopted: str) -> None:
    names = ("code_key", "fill_users_email_key", "identity_hash")
    run_sql(adopted, "; ".join(f"DROP FUNCTION {name} CASCADE" for name in names))
    lines = reported(adopted)
    assert {f"function {name} is missing: `make db-upgrade` makes it anew" for name in names} <= {*lines}
    upgrade_command.upgrade(adopted)
    for line in reported(adopted):  # an index that was made of the function went along
        run_alone(adopted, line.split(": ")[1])
    assert reported(adopted) == []


THEIRS = {
    "CREATE TABLE sessions (sid text)": "table sessions",
    "CREATE VIEW rewards AS SELECT 1 AS one": "table rewards",
    "ALTER TABLE users ADD suspended_at date": "column users.suspended_at",
    "CREATE INDEX users_created_at_idx ON users (id)": "index users_created_at_idx",
    "CREATE TABLE other (id integer); ALTER TABLE other ADD CONSTRAINT outbox_pkey UNIQUE (id)": "index outbox_pkey",
    "CREATE FUNCTION code_key(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'": "routine code_key(integer)",
}


def test_what_stands_where_ours_will_be_is_told(bare: str) -> None:
    run_sql(bare, "; ".join(THEIRS))
    told = "\n".join(reported(bare))
    for what in THEIRS.values():
        assert f"{what} is where one of ours will be" in told

"""`make db-check`: whatever is wrong with a database is named in one line with what to do, and nothing else is."""

import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
from alembic import command
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import Connection, make_url, text

from local import database, database_adopt, database_check, database_connection, database_rights
from local.database_check import Report, State, looked_at
from local.database_connection import connected, is_pooled
from local.database_rights import Owned
from local.database_schema import TRIGGERS, functions, guide, steps
from local.postgres import Server, free_port
from migrations.roles_and_time_limits import ensure_roles
from migrations.upgrade import engine, upgrade
from tests.migrations.conftest import GUIDE_SQL, numbers, run_sql
from tests.migrations.test_upgrade import config_for
from tests.support import stack

ROWS = Path(__file__).with_name("guide_rows.sql").read_text()
AWKWARD_ROWS = Path(__file__).with_name("awkward_rows.sql").read_text()
ELSEWHERE = "127.0.0.2"  # another host, as far as TLS is concerned


@pytest.fixture(scope="module")
def templates(bare_server: Server) -> dict[str, str]:
    """An adopted database with its roles, and the guide's, each to copy from; without rows."""
    for name in ("template_guide", "template_adopted"):
        with engine(bare_server.url("postgres")).connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(f"CREATE DATABASE {name}"))
        run_sql(bare_server.url(name), GUIDE_SQL.read_text())
    upgrade(bare_server.url("template_adopted"))
    with engine(bare_server.url("template_adopted")).begin() as connection:
        ensure_roles(connection)
    return {"guide": "template_guide", "adopted": "template_adopted"}


def copied(bare_server: Server, template: str) -> str:
    name = f"checked_{next(numbers)}"
    with engine(bare_server.url("postgres")).connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        autocommit.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        autocommit.execute(text(f"ALTER DATABASE {name} SET timezone TO 'UTC'"))
    return bare_server.url(name)


@pytest.fixture
def adopted(bare_server: Server, templates: dict[str, str]) -> str:
    """A database in order: nothing to do."""
    return copied(bare_server, templates["adopted"])


@pytest.fixture
def bare(bare_server: Server, templates: dict[str, str]) -> str:
    """A database of the guide's application, without rows."""
    return copied(bare_server, templates["guide"])


def told(url: str) -> list[str]:
    """What a look at the database finds, a line each, without what is only told."""
    report, _ = looked_at(url)
    return [str(finding) for finding in report.obstacles + report.remarks if not finding.is_harmless]


def decisions(report: Report) -> dict[str, list[int]]:
    """The rows that need a decision."""
    return {f"{kind.table}: {kind.what}": [id_ for id_, _ in kind.rows] for kind in report.undecided}


def test_a_database_in_order_leaves_nothing_to_do(adopted: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert database_check.check(adopted) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Nothing to do."


# No connection


@contextmanager
def listening(answer: Callable[[socket.socket], object], host: str = "127.0.0.1") -> Iterator[int]:
    """Answer one connection as something that is not PostgreSQL would."""
    with socket.create_server((host, 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                answer(connection)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


def only_line(url: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that is said of a database that cannot be looked at."""
    assert database_check.check(url) == 2
    (line,) = capsys.readouterr().out.splitlines()
    return line


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"database": "nowhere"}, 'database "nowhere" does not exist: see the name at the end of DATABASE_URL'),
        ({"username": "stranger"}, 'role "stranger" does not exist: see the user in DATABASE_URL'),
        ({"port": free_port()}, "nothing listens at 127.0.0.1:"),
        ({"host": "nowhere.invalid"}, "nowhere.invalid:"),
        ({"username": None}, "DATABASE_URL names no user"),
        ({"query": {"schema": "public"}}, "DATABASE_URL has parameters that are not known (schema): leave them out"),
    ],
)
def test_a_wrong_address_is_told_by_its_wrong_part(
    adopted: str, change: dict[str, object], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = make_url(adopted.replace("postgres@", ""))
    wrong = nobody if change == {"username": None} else make_url(adopted).set(**change)  # type: ignore[arg-type]
    assert line in only_line(str(wrong), capsys)


@pytest.mark.parametrize("url", ["mysql://me@host/db", "nonsense", "postgresql://me@host:port/db", "//"])
def test_what_is_no_address_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SystemExit, match="DATABASE_URL must be as in postgresql://"):
        database_check.main()


@pytest.mark.parametrize("password", ["p@ss/w%23rd", "p@ss#word", "p@ss:word", "p@"])
@pytest.mark.parametrize("run", [lambda: database.main("upgrade"), database_check.main, database_adopt.main])
def test_nothing_of_a_password_is_shown_that_is_not_escaped(
    password: str, run: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://me:{password}@127.0.0.1:1/db")
    with pytest.raises(SystemExit) as ended:
        run()
    said = f"{ended.value.code}{''.join(capsys.readouterr())}"
    assert "write special characters as %XX" in said
    assert "ss" not in said.replace("password", "")


@pytest.fixture(scope="module")
def guarded(bare_server: Server) -> Iterator[Server]:
    """The server, with a user who needs a password, and one whom it does not let in."""
    with engine(bare_server.url("postgres")).begin() as connection:
        connection.execute(text("CREATE ROLE guarded LOGIN PASSWORD 'right'"))
        connection.execute(text("CREATE ROLE banned LOGIN"))
        file = Path(connection.execute(text("SHOW hba_file")).scalar_one())
        before = file.read_text()
        file.write_text(f"host all guarded all scram-sha-256\nhost all banned all reject\n{before}")
        connection.execute(text("SELECT pg_reload_conf()"))
    yield bare_server
    file.write_text(before)


@pytest.mark.parametrize(
    ("user", "line"),
    [
        ("guarded:wrong", 'password authentication failed for user "guarded": see user and password in DATABASE_URL'),
        ("guarded", "the server wants a password of guarded: write user:password@ in DATABASE_URL"),
        ("banned", "see the user in DATABASE_URL, and the server's pg_hba.conf"),
    ],
)
def test_a_user_who_is_not_let_in_is_told_why(
    guarded: Server, user: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = only_line(guarded.url("postgres").replace("postgres@", f"{user}@"), capsys)
    assert line in said
    assert "wrong" not in said


def test_the_right_password_opens(guarded: Server) -> None:
    assert looked_at(guarded.url("postgres").replace("postgres@", "guarded:right@"))[0].login.name == "guarded"


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        lambda connection: connection.sendall(b"5.7.1-MySQL\0" * 20),
        lambda connection: connection.sendall(b"R\0\0\0\x04"),
        lambda _: None,
    ],
    ids=["web", "other database", "short", "closed"],
)
def test_what_is_not_postgresql_is_told(
    answer: Callable[[socket.socket], object], capsys: pytest.CaptureFixture[str]
) -> None:
    with listening(answer) as port:
        assert "is not PostgreSQL" in only_line(f"postgresql://me@127.0.0.1:{port}/db", capsys)


def test_a_server_that_says_nothing_is_given_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(database_connection, "CONNECT_SECONDS", 0.3)
    with listening(lambda _: time.sleep(1)) as port:
        line = only_line(f"postgresql://me@127.0.0.1:{port}/db", capsys)
    assert "did not answer within" in line
    assert not line.endswith("?")  # db-upgrade puts its full stop behind it


def test_another_host_without_tls_gets_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    with listening(lambda connection: connection.sendall(b"N"), ELSEWHERE) as port:
        line = only_line(f"postgresql://me:secret@{ELSEWHERE}:{port}/db", capsys)
    assert f"{ELSEWHERE}:{port} offers no TLS" in line
    assert "secret" not in line


def test_a_certificate_that_nobody_vouches_for_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path / "server.pem"))

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"S")
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(connection, server_side=True)

    with listening(answer, ELSEWHERE) as port:
        line = only_line(f"postgresql://me@{ELSEWHERE}:{port}/db", capsys)
    assert f"the certificate of {ELSEWHERE}:{port} is not trusted (self-signed certificate)" in line
    assert "SSL_CERT_FILE" in line


def self_signed(file: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ELSEWHERE)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(ELSEWHERE))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file


def test_a_pooler_is_noticed(pooled_servers: stack.Stack, adopted: str) -> None:
    with connected(pooled_servers.pooled("postgres", "postgres")) as connection:
        assert is_pooled(connection)
    with connected(adopted) as connection:
        assert not is_pooled(connection)


# Rights


@pytest.fixture
def reader(adopted: str, bare_server: Server) -> Iterator[str]:
    """The database as a login sees it that may do nothing."""
    with engine(adopted).begin() as connection:
        connection.execute(text("CREATE ROLE reader LOGIN"))
    yield adopted.replace("postgres@", "reader@")
    with engine(adopted).begin() as connection:
        connection.execute(text("DROP OWNED BY reader"))
        connection.execute(text("ALTER ROLE reader SUPERUSER"))  # it may own the database, and then be nobody's
        connection.execute(text("REASSIGN OWNED BY reader TO postgres"))
        connection.execute(text("DROP ROLE reader"))


def test_each_missing_right_is_a_line_and_its_grant_mends_it(reader: str, adopted: str) -> None:
    lines = told(reader)
    name = make_url(adopted).database
    assert [line.split(",")[0] for line in lines] == [
        "reader may not create tables in the schema public: GRANT CREATE ON SCHEMA public TO reader",
        "reader does not own the database",
        "reader may not create roles",
        "reader does not own account_links",
        "reader may not read account_links",
        "reader may not read alembic_version: connect as the owner of the tables",
    ]
    run_sql(
        adopted,
        f"GRANT CREATE ON SCHEMA public TO reader; ALTER DATABASE {name} OWNER TO reader; ALTER ROLE reader CREATEROLE;"
        + lines[3].split(", who does, or ")[1],
    )
    assert told(reader) == []


def test_a_reader_is_told_what_it_may_read(reader: str, adopted: str) -> None:
    run_sql(
        adopted, f"{ROWS}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; REVOKE SELECT ON users FROM reader"
    )
    report, _ = looked_at(reader)
    assert report.state is State.NEWEST
    assert (
        "reader may not read users, whose rows nobody looked at: "
        "GRANT SELECT ON users TO reader, or connect as the owner" in told(reader)
    )
    assert not any(what.startswith("users") for what in decisions(report))
    assert any(what.startswith("bonus_codes") for what in decisions(report))


def test_a_search_path_elsewhere_is_told(adopted: str, reader: str) -> None:
    run_sql(adopted, "CREATE SCHEMA reader AUTHORIZATION reader")
    assert "reader finds tables in reader before public: ALTER ROLE reader SET search_path TO public" in told(reader)[0]


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        ("ALTER ROLE api NOLOGIN", "role api may not log in"),
        ("ALTER ROLE api RESET statement_timeout", "role api lacks its statement_timeout of 8s"),
        ("REVOKE INSERT ON users, wheel_spins FROM jobs", "role jobs lacks INSERT on "),
        ("GRANT UPDATE ON audit_log TO api", "role api has and must not have UPDATE on audit_log"),
        ("REVOKE ALL ON SEQUENCE users_id_seq FROM api", "role api may not use the sequence users_id_seq"),
        ("REVOKE ALL ON SCHEMA public FROM PUBLIC, api", "role api may not use the schema public"),
    ],
)
def test_what_the_functions_roles_lack_is_a_line_and_seen_to(adopted: str, damage: str, line: str) -> None:
    try:
        run_sql(adopted, damage)
        (said,) = told(adopted)
        assert said.startswith(line)
        assert said.endswith("`make db-upgrade` sees to it, with a login that has CREATEROLE")
    finally:
        with engine(adopted).begin() as connection:
            ensure_roles(connection)
    assert told(adopted) == []


# Revisions


def test_an_empty_database_is_told(url: str) -> None:
    assert told(url) == ["nothing of the platform is in it: `make db-upgrade` makes the tables"]


def test_a_database_to_adopt_is_told(bare: str) -> None:
    assert told(bare) == [
        "it is the guide's, not adopted yet: `make db-adopt` does that, and says beforehand what will happen"
    ]


@pytest.mark.parametrize(
    ("revision", "line"),
    [
        ("guide_tables", "its schema is behind, at guide_tables: `make db-adopt` goes on with an adoption"),
        ("of_tomorrow", "its schema is none that is known here, of_tomorrow: take a newer checkout"),
    ],
)
def test_another_revision_is_told(adopted: str, revision: str, line: str) -> None:
    run_sql(adopted, f"UPDATE alembic_version SET version_num = '{revision}'")
    assert told(adopted)[0].startswith(line)
    assert len(told(adopted)) == 1


def test_two_revisions_at_once_are_told(adopted: str) -> None:
    run_sql(adopted, "INSERT INTO alembic_version VALUES ('another')")
    both = ", ".join(sorted(["another", str(steps().get_current_head())]))
    assert told(adopted) == [
        f"its schema is none that is known here, {both}: only one can be: DELETE FROM alembic_version the others"
    ]


MADE_ALEMBIC = "CREATE TABLE alembic_version (version_num varchar(32) CONSTRAINT alembic_version_pkc PRIMARY KEY); "


@pytest.mark.parametrize("loss", ["DELETE FROM alembic_version", "DROP TABLE alembic_version"])
def test_a_revision_that_is_lost_is_the_only_thing_told_and_put_back(
    bare: str, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = MADE_ALEMBIC if "DROP" in loss else ""
    for step in [*steps().walk_revisions()][::-1][1:]:
        with engine(bare).connect() as connection:
            command.upgrade(config_for(connection), step.revision)
        run_sql(bare, loss)
        report, _ = looked_at(bare)
        assert report.state is State.LOST
        (line,) = map(str, report.obstacles)
        assert line == (
            f"tables of the platform are there without their revision, by what is there {step.revision}: "
            f"{made}INSERT INTO alembic_version VALUES ('{step.revision}'), then look again"
        )
        assert not [finding for finding in report.remarks if "role" not in finding.what]
        for refused in (database.upgrade, database_adopt.adopt):
            monkeypatch.setenv("YES", "1")
            with pytest.raises(SystemExit, match=r"without their revision|Nothing was changed"):
                refused(bare)
        run_sql(bare, report.obstacles[0].do.removesuffix(", then look again"))
        assert looked_at(bare)[0].revision == step.revision


def test_others_have_tables_of_our_names_too(bare: str) -> None:
    run_sql(bare, "CREATE TABLE sessions (id serial, sess json, expire timestamp); CREATE TABLE outbox (id integer)")
    assert looked_at(bare)[0].state is State.GUIDE


@pytest.mark.parametrize("revision", ["platform_tables", "accounts_and_access", "abc123"])
def test_what_is_ours_is_never_called_foreign(adopted: str, revision: str) -> None:
    run_sql(adopted, f"UPDATE alembic_version SET version_num = '{revision}'; ALTER TABLE users ADD theirs text")
    report, _ = looked_at(adopted)
    assert [finding.what for finding in report.remarks if finding.is_harmless] == ["column users.theirs is not ours"]
    assert report.obstacles == []


# The schema: what is said to mend it does

DAMAGES = {
    "ALTER TABLE users DROP COLUMN uid": ["users lacks its unique key (uid)", "column users.uid is missing"],
    "ALTER TABLE users ALTER profile_color TYPE varchar(9)": ["column users.profile_color is VARCHAR(9), not TEXT"],
    "ALTER TABLE users ALTER created_at TYPE timestamptz": [
        "column users.created_at is TIMESTAMP WITH TIME ZONE, not TIMESTAMP WITHOUT TIME ZONE"
    ],
    "ALTER TABLE users ALTER total_wager TYPE numeric(18,2)": [
        "column users.total_wager is NUMERIC(18, 2), not NUMERIC(18, 8)"
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
    "ALTER TABLE users ENABLE ROW LEVEL SECURITY": ["row level security of users hides its rows from the functions"],
}
DAMAGES_OF_ADOPTED = {
    "DROP INDEX users_staff_idx": ["index users_staff_idx of users is missing"],
    "DROP INDEX users_active_idx; CREATE INDEX users_active_idx ON users (email)": [
        "index users_active_idx of users is another than it should be"
    ],
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'users_suspended_idx'::regclass": [
        "index users_suspended_idx of users is not valid, as a build that was cut off leaves it"
    ],
    "ALTER TABLE users DROP CONSTRAINT users_username_key_unique": ["users lacks its unique key (username_key)"],
    "ALTER TABLE users DROP COLUMN hide_name": ["column users.hide_name is missing"],
    "ALTER TABLE identity_key DROP CONSTRAINT identity_key_one_row": [
        "identity_key lacks its check identity_key_one_row"
    ],
    "ALTER TABLE users DISABLE TRIGGER USER": [
        f"trigger {name} of {table} is disabled" for table, name in TRIGGERS if table == "users"
    ],
}


def told_and_mended(url: str, damages: dict[str, list[str]]) -> None:
    """Do all the damage; each is told, no other is, and what is said to do mends it."""
    for damage in damages:
        run_sql(url, damage)
    lines = [line.split(": ")[0] for line in told(url) if "make db-adopt" not in line]
    assert sorted(lines) == sorted(line for expected in damages.values() for line in expected)

    for finding in looked_at(url)[0].obstacles:
        with engine(url).connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            for statement in finding.do.split(", or ")[0].split("; "):
                connection.exec_driver_sql(statement)

    assert [line for line in told(url) if "make db-adopt" not in line] == []


def test_damages_to_an_adopted_database_are_told_and_mended(adopted: str) -> None:
    # Ours refers to the races too.
    follows = {"SELECT": ["wager_races lacks its foreign key (follows_id) to wager_races"]}
    told_and_mended(adopted, DAMAGES | DAMAGES_OF_ADOPTED | follows)


def test_damages_to_the_guides_database_are_told_and_mended(bare: str) -> None:
    told_and_mended(bare, DAMAGES)


def test_a_missing_table_is_told_with_where_it_comes_from(adopted: str) -> None:
    run_sql(adopted, "DROP TABLE sessions")
    assert told(adopted) == ["table sessions is missing: bring it back from a backup"]


def test_a_missing_table_of_the_guides_is_told(bare: str) -> None:
    run_sql(bare, "DROP TABLE historical_races")
    missing, *others = told(bare)
    assert missing.startswith("table historical_races is missing: bring it back from a backup, or make an empty one: ")
    run_sql(bare, missing.split("make an empty one: ")[1])
    assert told(bare) == others


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
    run_sql(bare, f"{ROWS}; ALTER TABLE users DROP password; ALTER TABLE ticket_messages DROP message")
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
    assert ", 20, 21, 22; then ALTER" in "\n".join(database_check.lines(looked_at(bare)[0], first=None))


def test_rows_that_break_a_lost_index_are_named_before_it(adopted: str) -> None:
    run_sql(
        adopted,
        "DROP INDEX account_links_pending_key; INSERT INTO users (username, password, email) VALUES ('a', 'x', 'a');"
        "INSERT INTO account_links (user_id, uid, requested_at, decision) VALUES"
        " (1, '1', now(), 'refused'), (1, '1', now(), null), (1, '1', now(), null)",
    )
    (line,) = told(adopted)
    assert line.startswith("index account_links_pending_key of account_links is missing: first see to what breaks it, ")
    assert "2 rows, id 2, 3; then CREATE UNIQUE INDEX CONCURRENTLY" in line


def test_what_stands_where_ours_will_be_is_one_line(bare: str) -> None:
    run_sql(bare, "ALTER TABLE users ADD suspended_at date")
    (line,) = everything_told(bare)
    assert line.startswith("column users.suspended_at is where one of ours will be")


@pytest.mark.parametrize("table", ["wheel_versions", "tier_versions", "identity_key"])
def test_an_emptied_table_is_told_and_its_first_row_made_anew(adopted: str, table: str) -> None:
    run_sql(adopted, f"TRUNCATE {table} CASCADE")
    (line,) = told(adopted)
    assert line.startswith(f"{table} is empty: ")
    assert ("forgotten" in line) == (table == "identity_key")
    run_sql(adopted, line.split(", or ")[1].split(", a new key")[0])
    assert told(adopted) == []
    with engine(adopted).connect() as connection:
        connection.execute(text(f"SELECT * FROM {table}")).one()
        assert table != "identity_key" or connection.scalar(text("SELECT length(key) FROM identity_key")) == 32


@pytest.mark.parametrize("which", ["bare", "adopted"])
def test_what_others_do_to_rows_is_noted(which: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(which)
    run_sql(
        url,
        "CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "ALTER TABLE users ADD CONSTRAINT short CHECK (length(bio) < 10);"
        "CREATE TRIGGER before BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION theirs();"
        "CREATE TRIGGER later AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION theirs();"
        "CREATE RULE nothing AS ON DELETE TO wheel_spins DO INSTEAD NOTHING;"
        "CREATE RULE more AS ON UPDATE TO wheel_spins DO ALSO NOTIFY spins",
    )
    change = "it can change or drop what is written here: see what it does"
    assert everything_told(url) == [
        "constraint short of users is not ours: our rows obey it too",
        f"trigger before of users is not ours: {change}",
        "trigger later of users is not ours: our rows obey it too",
        "rule more of wheel_spins is not ours: our rows obey it too",
        f"rule nothing of wheel_spins is not ours: {change}",
    ]
    assert not [line for line in told(url) if "make db-adopt" not in line]


def test_a_read_only_database_is_told_and_opened(adopted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run_sql(adopted, f"ALTER DATABASE {make_url(adopted).database} SET default_transaction_read_only TO on")
    (line,) = told(adopted)
    assert line.startswith("the database is read-only: if it should not be: SET default_transaction_read_only TO off; ")
    monkeypatch.setenv("DATABASE_URL", adopted)
    with pytest.raises(SystemExit, match="could not be upgraded: the database is read-only: if it should not be"):
        database.main("upgrade")
    with engine(adopted).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in line.split("not be: ")[1].split("; "):
            connection.exec_driver_sql(statement)
    assert told(adopted) == []


def test_a_standby_is_told(adopted: str) -> None:
    standby = replace(looked_at(adopted)[0].login, is_replica=True)
    (line,) = map(str, database_rights.rights(standby, []))
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


def test_the_triggers_and_functions_are_all_looked_for(adopted: str) -> None:
    with engine(adopted).connect() as connection:
        triggers = connection.execute(
            text(
                "SELECT relname, tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE NOT tgisinternal"
            )
        )
        assert {(table, name) for table, name in triggers} == TRIGGERS
        present = connection.scalars(text("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"))
        assert set(present) == set(functions())


@pytest.mark.parametrize("name", ["code_key", "fill_users_email_key", "identity_hash"])
def test_a_missing_function_is_told_and_made_anew_with_what_it_took_along(adopted: str, name: str) -> None:
    run_sql(adopted, f"DROP FUNCTION {name} CASCADE")
    lines = told(adopted)
    assert lines[0].startswith(f"function {name} is missing")
    run_sql(adopted, lines[0].split(": ")[1].split(", then")[0])
    upgrade(adopted)
    assert told(adopted) == []


@pytest.mark.parametrize(
    ("theirs", "what"),
    [
        ("CREATE TABLE sessions (sid text)", "table sessions"),
        ("CREATE VIEW rewards AS SELECT 1 AS one", "table rewards"),
        ("ALTER TABLE users ADD suspended_at date", "column users.suspended_at"),
        ("CREATE INDEX users_created_at_idx ON users (id)", "index users_created_at_idx"),
        (
            "CREATE TABLE other (id integer); ALTER TABLE other ADD CONSTRAINT outbox_pkey UNIQUE (id)",
            "index outbox_pkey",
        ),
        ("CREATE FUNCTION code_key(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'", "function code_key"),
    ],
)
def test_what_stands_where_ours_will_be_is_told(bare: str, theirs: str, what: str) -> None:
    run_sql(bare, theirs)
    assert f"{what} is where one of ours will be" in "\n".join(told(bare))


# Time zones


def test_a_time_zone_before_adoption_is_told(bare: str) -> None:
    run_sql(bare, f"ALTER DATABASE {make_url(bare).database} SET timezone TO 'America/New_York'")
    assert told(bare)[1] == (
        "the time zone is America/New_York, so times that now() has stored would be misread as UTC: "
        "shift them first, as docs/adopting.md shows; the adoption then sets the time zone to UTC"
    )


def test_a_time_zone_after_adoption_is_told_and_mended(adopted: str) -> None:
    run_sql(adopted, f"ALTER DATABASE {make_url(adopted).database} SET timezone TO 'Europe/London'")
    (line,) = told(adopted)
    assert line.startswith(
        "the time zone is Europe/London, so times that now() stores are misread as UTC: ALTER DATABASE"
    )
    run_sql(adopted, line.split(": ")[1].split(", connect")[0])
    assert told(adopted) == []


def test_a_role_with_a_time_zone_of_its_own_is_told_and_mended(adopted: str) -> None:
    name = make_url(adopted).database
    run_sql(adopted, f"ALTER ROLE jobs IN DATABASE {name} SET timezone TO 'Asia/Tokyo'")
    (line,) = told(adopted)
    assert line.startswith("role jobs has a time zone of its own, Asia/Tokyo")
    run_sql(adopted, line.split(": ")[1])
    assert told(adopted) == []


@pytest.mark.parametrize("zone", ["Etc/UTC", "GMT"])
def test_another_name_of_utc_is_utc(bare: str, zone: str) -> None:
    run_sql(bare, f"ALTER DATABASE {make_url(bare).database} SET timezone TO '{zone}'")
    assert len(told(bare)) == 1


# Rows

COLLISIONS = r"""
INSERT INTO users (username, password, email) VALUES
    ('İstanbul', 'x', 'a@x.com'), ('istanbul', 'x', 'A@X.COM'), ('Straße', 'x', 'b@x.com'), ('STRASSE', 'x', 'c@x.com'),
    ('STRAẞE', 'x', 'd@x.com'), ('ΟΔΟΣ', 'x', 'e@x.com'), ('οδος', 'x', 'f@x.com'), ('οδοσ', 'x', 'g@x.com'),
    (E'Zo\u00eb', 'x', 'h@x.com'), (E'ZOE\u0308', 'x', 'i@x.com'), ('a@x.com', 'x', 'j@x.com'),
    ('k@X.com', 'x', 'k@x.com');
INSERT INTO wheel_spins (user_id, segment_index, timestamp) VALUES
    (1, 0, '2025-01-01 23:59:59.999999'), (1, 0, '2025-01-02 00:00:00'), (1, 0, '2025-01-02 23:59:59.999999'),
    (2, 0, '2025-01-02 00:00:00'), (null, 0, '2025-01-02'), (null, 0, '2025-01-02'),
    (3, 0, '2025-01-03 12:00'), (3, 0, '2025-01-03 11:00'), (3, 0, '2025-01-03 10:00'),
    (3, 0, '2025-01-03 09:00'), (3, 0, '2025-01-03 08:00');
INSERT INTO bonus_codes (code, expires_at) VALUES
    ('AB-CD', '2027-01-01'), ('ab cd', '2027-01-01'), (E'A\u2014b\u00a0C\u2212d', '2027-01-01'),
    (E'ab\tcd\n', '2027-01-01'),
    ('ABCE', '2027-01-01'), (E'AB\u200bCD', '2027-01-01'), ('A_B_C_D', '2027-01-01'),
    ('-', '2027-01-01'), (' ', '2027-01-01'),
    ('abcß', '2027-01-01'), ('ABCSS', '2027-01-01');
INSERT INTO wager_races (title, type, status, prize_pool, start_date, end_date, min_wager, prize_distribution) VALUES
    ('one', 'weekly', 'live', 1, '2020-01-01', '2999-01-08', 0, '{}'),
    ('two', 'weekly', 'live', 1, '2020-01-01', '2999-01-08', 0, '{}');
INSERT INTO wager_race_participants (race_id, user_id, total_wager) VALUES
    (1, 1, 5), (2, 1, 5), (1, 2, 5), (1, 1, 6), (1, 1, 6), (null, 1, 1), (null, 1, 1), (1, null, 1), (1, null, 1);
INSERT INTO newsletter_subscriptions (email) VALUES ('A@x.com'), ('a@x.com'), (' a@x.com'), ('a@x.com '), ('A@X.COM');
"""
KEYED = {
    "users: usernames equal to an older member's, ignoring case": [2, 5, 8],
    "users: e-mail addresses equal to an older member's, ignoring case": [2],
    "wheel_spins: spins after the member's first of that UTC day": [3, 8, 9, 10, 11],
    "bonus_codes: codes that read like an older one, ignoring case, spaces and dashes": [2, 3, 4, 9],
    "wager_race_participants: further rows of a member in the same race": [4, 5],
    "newsletter_subscriptions: addresses equal to an older subscription's, ignoring case": [2, 5],
    "users: usernames that are another member's e-mail address, ignoring case": [11],
}


def test_rows_that_need_a_decision_are_named_and_no_others_before_and_after(bare: str) -> None:
    """What the database's own lower() makes equal: of the sharp s its capital, of the final sigma nothing."""
    run_sql(bare, COLLISIONS)
    before, _ = looked_at(bare)
    assert decisions(before) == KEYED

    upgrade(bare)

    after, _ = looked_at(bare)
    assert after.state is State.NEWEST
    assert after.undecided == before.undecided


def test_years_of_awkward_rows_are_named_exactly(bare: str) -> None:
    run_sql(bare, AWKWARD_ROWS)
    before, _ = looked_at(bare)
    assert decisions(before) == {
        "users: usernames equal to an older member's, ignoring case": [2, 3],
        "users: e-mail addresses equal to an older member's, ignoring case": [2, 5],
        "wheel_spins: spins after the member's first of that UTC day": [2, 3, 4, 5],
        "bonus_codes: codes that read like an older one, ignoring case, spaces and dashes": [2],
        "wager_race_participants: further rows of a member in the same race": [2, 6],
        "newsletter_subscriptions: addresses equal to an older subscription's, ignoring case": [2, 3],
        "notification_preferences: preferences without an owner": [1, 2],
        "users: times in created_at outside the years 1 to 9999, or infinite": [5, 6, 7],
        "users: times in last_active outside the years 1 to 9999, or infinite": [3, 4, 6],
        "users: NaN in total_wager": [4],
        "wheel_spins: times in timestamp outside the years 1 to 9999, or infinite": [9, 10],
        "bonus_codes: times in claimed_at outside the years 1 to 9999, or infinite": [3],
        "bonus_codes: times in expires_at outside the years 1 to 9999, or infinite": [3],
        "wager_races: times in end_date outside the years 1 to 9999, or infinite": [5],
        "wager_races: NaN in min_wager": [4],
        "wager_race_participants: times in joined_at outside the years 1 to 9999, or infinite": [9],
        "wager_race_participants: NaN in total_wager": [10],
        "historical_races: NaN in prize_pool": [2],
        "historical_races: times in start_date outside the years 1 to 9999, or infinite": [2],
        "historical_races: times in end_date outside the years 1 to 9999, or infinite": [2],
        "support_tickets: times in created_at outside the years 1 to 9999, or infinite": [2],
        "newsletter_subscriptions: times in subscribed_at outside the years 1 to 9999, or infinite": [3],
        "newsletter_subscriptions: times in unsubscribed_at outside the years 1 to 9999, or infinite": [3],
    }

    upgrade(bare)

    assert looked_at(bare)[0].undecided == before.undecided


def test_rows_are_looked_for_before_all_columns_are_there(bare: str) -> None:
    run_sql(bare, f"{ROWS}; ALTER TABLE users DROP COLUMN email; ALTER TABLE wheel_spins ALTER timestamp TYPE text")
    report, _ = looked_at(bare)
    assert "users: usernames equal to an older member's, ignoring case" in decisions(report)
    assert any("wheel_spins could not be searched for times in timestamp" in finding.what for finding in report.remarks)


def test_a_row_whose_key_is_free_again_is_told_and_takes_it(adopted: str) -> None:
    run_sql(
        adopted,
        "INSERT INTO users (username, password, email) VALUES ('Ann', 'x', '1'), ('ANN', 'x', '2'), ('ann', 'x', '3')",
    )
    run_sql(adopted, "UPDATE users SET username = 'Bea' WHERE id = 1")
    (kind,) = looked_at(adopted)[0].undecided
    assert kind.what == "rows without username_key, though no other row has theirs any more"
    assert kind.rows == [(2, None), (3, None)]
    run_sql(adopted, kind.do.split(" gives")[0])
    (kind,) = looked_at(adopted)[0].undecided
    assert kind.rows == [(3, 2)]


def test_rows_beyond_the_first_are_counted_unless_all_are_asked_for(
    adopted: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_sql(adopted, "INSERT INTO notification_preferences SELECT FROM generate_series(1, 25)")
    assert database_check.check(adopted) == 1
    assert "25 rows, id 1, 2, 3, " in (few := capsys.readouterr().out)
    assert "19, 20, and 5 more, which ARGS=--all names: " in few

    monkeypatch.setenv("DATABASE_URL", adopted)
    monkeypatch.setattr("sys.argv", ["database_check.py", "--all"])
    with pytest.raises(SystemExit) as ended:
        database_check.main()
    assert ended.value.code == 1
    assert "23, 24, 25: " in capsys.readouterr().out


def test_a_look_can_change_nothing(bare: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def tables_of(connection: Connection) -> list[Owned]:
        asked.append(connection.scalar(text("SHOW transaction_read_only")))
        return database_rights.tables_of(connection)

    monkeypatch.setattr(database_check, "tables_of", tables_of)
    looked_at(bare)
    assert asked == ["on"]


def test_a_connection_that_breaks_off_is_one_line(
    adopted: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        with engine(adopted).begin() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    monkeypatch.setattr(database_check, "tables_of", broken)
    assert "could not be looked at: " in only_line(adopted, capsys)


def test_decisions_are_in_the_order_of_the_guides_tables(bare: str) -> None:
    run_sql(bare, AWKWARD_ROWS)
    tables = [kind.table for kind in looked_at(bare)[0].undecided]
    assert tables == sorted(tables, key=[*guide().tables].index)


def test_who_has_read_enough_gets_no_traceback(bare: str) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "local.database_check"],
        cwd=Path(database_check.__file__).parents[1],
        env=os.environ | {"DATABASE_URL": bare},
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_make_says_it_too(bare: str) -> None:
    run_sql(bare, ROWS)
    command = ["make", "--old-file=.venv/.ready", "db-check", f"DATABASE_URL={bare}"]
    root = Path(database_check.__file__).parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 2  # make's own for any failure
    assert "DECIDE  users: usernames equal to an older member's, ignoring case: 1 row, id 2 (like 1): " in done.stdout
    assert "Traceback" not in done.stderr

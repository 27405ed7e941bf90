"""The authorizer's connection: how it signs in, whom it trusts, and what it makes of each answer."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from database.embedded import running
from goatedvips import iam_token, light_connection, postgres_server
from goatedvips.compiled import Compiled
from goatedvips.light_connection import Database, Parameters
from goatedvips.postgres_server import AMAZON_ROOTS, Server
from goatedvips.postgres_wire import ConnectionLost, Refused, Unreachable, UnreadableAnswer
from migrations.upgrade import engine
from tests.support import stack
from tests.support.tls import HOST, tls_front, write_certificates
from tests.support.wire import Wire

NOW = datetime(2026, 5, 1, 12, 30, 0, 500_000, UTC)


def statement(text: str, *parameters: str) -> Compiled:
    """Return a statement that no file has."""
    return Compiled("", text, parameters)


ONE = statement("select 1")
METHODS = {"scram": "scram-sha-256", "clear": "password", "old": "md5"}
SECRET = "a & secret/of:several@signs%"


def connect(url: str, *, iam: bool = False, ca_file: str = "", timeout: float | None = 10.0) -> Database:
    return Database(Server(url, iam=iam, ca_file=ca_file, timeout=timeout))


@pytest.fixture
def url(servers: stack.Stack) -> str:
    return servers.direct(os.environ["TEST_DATABASE"])


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server whose users `scram`, `clear` and `old` sign in by SCRAM, by cleartext and by MD5."""
    folder = tmp_path_factory.mktemp("guarded")
    with running(folder, durable=False) as server:
        rules = [f"host all {user} 127.0.0.1/32 {method}" for user, method in METHODS.items()]
        hba = folder / "data" / "pg_hba.conf"
        hba.write_text("\n".join([*rules, hba.read_text()]))
        with engine(server.url("postgres")).connect() as connection:
            autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
            for user in METHODS:
                stored = "md5" if user == "old" else "scram-sha-256"
                autocommit.exec_driver_sql(f"SET password_encryption = '{stored}'")
                autocommit.exec_driver_sql(f"CREATE ROLE {user} LOGIN PASSWORD '{SECRET}'")
            autocommit.exec_driver_sql("SELECT pg_reload_conf()")
        yield server.port


@pytest.mark.parametrize("user", ["scram", "clear"])
def test_it_signs_in_with_a_password(guarded: int, user: str) -> None:
    quoted = sa.make_url(f"postgresql://{user}@{HOST}:{guarded}/postgres").set(password=SECRET)
    assert connect(quoted.render_as_string(hide_password=False)).read(ONE, {}) == [[1]]


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        ("scram:wrong", '28P01 password authentication failed for user "scram"'),
        ("clear:wrong", '28P01 password authentication failed for user "clear"'),
        ("scram", "the server asks for a password"),
        ("clear", "the server asks for a password"),
        ("old:wrong", "the server asks for authentication by method 5"),
        ("absent", '28000 role "absent" does not exist'),
    ],
)
def test_a_refused_sign_in_is_an_unreachable_database(guarded: int, credentials: str, reason: str) -> None:
    database = connect(f"postgresql://{credentials}@{HOST}:{guarded}/postgres")
    with pytest.raises(Unreachable) as raised:
        database.read(ONE, {})
    assert light_connection.describe(raised.value) == reason


def test_it_signs_in_with_an_iam_token(guarded: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password of the length and the characters of a token."""
    monkeypatch.setattr(postgres_server, "utc_now", lambda: NOW)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    keys = iam_token.Credentials("AKIDEXAMPLE", "secret", "a" * 800)
    monkeypatch.setattr(iam_token, "credentials", lambda: keys)
    token = iam_token.sign(HOST, guarded, "clear", region="eu-central-1", keys=keys, now=NOW)
    with engine(f"postgresql://postgres@{HOST}:{guarded}/postgres").begin() as connection:
        connection.execute(sa.text(f"ALTER ROLE clear PASSWORD '{token}'".replace(":", r"\:")))
    try:
        database = connect(f"postgresql://clear@{HOST}:{guarded}/postgres", iam=True)
        assert database.read(ONE, {}) == [[1]]
        keys = keys._replace(token="expired")
        with pytest.raises(Unreachable, match="28P01"):
            connect(f"postgresql://clear@{HOST}:{guarded}/postgres", iam=True).read(ONE, {})
    finally:
        with engine(f"postgresql://postgres@{HOST}:{guarded}/postgres").begin() as connection:
            connection.execute(sa.text(f"ALTER ROLE clear PASSWORD '{SECRET}'".replace(":", r"\:")))


def test_without_keys_for_a_token_the_database_is_unreachable(guarded: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Unreachable, match="AWS_ACCESS_KEY_ID"):
        connect(f"postgresql://clear@{HOST}:{guarded}/postgres", iam=True).read(ONE, {})


def test_connections_to_other_hosts_use_tls_that_is_verified(
    servers: stack.Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_server, "LOCAL_HOSTS", set())
    authority, certificate = write_certificates(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    other_authority, other_host = write_certificates(other, host="127.0.0.2")

    def read(port: int, ca_file: str) -> list[list[int]]:
        return connect(f"postgresql://postgres@{HOST}:{port}/postgres", ca_file=ca_file).read(ONE, {})

    with tls_front(servers.postgres, certificate) as port:
        assert read(port, str(authority)) == [[1]]
        for untrusted in (str(other_authority), ""):
            with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
                read(port, untrusted)
    with tls_front(servers.postgres, other_host) as port, pytest.raises(Unreachable, match="IP address mismatch"):
        read(port, str(other_authority))
    with tls_front(servers.postgres, None) as port, pytest.raises(Unreachable, match="the server has no TLS"):
        read(port, str(authority))


def test_only_amazon_s_authorities_are_trusted_unless_a_file_names_others(tmp_path: Path) -> None:
    tls = Server("postgresql://api@proxy.example/goatedvips", iam=False, ca_file="", timeout=None).tls
    assert tls is not None
    names = {dict(part[0] for part in ca["subject"])["commonName"] for ca in tls.get_ca_certs()}  # type: ignore[misc]
    assert names == {
        *(f"Amazon Root CA {number}" for number in range(1, 5)),
        "Starfield Services Root Certificate Authority - G2",
    }
    for authority in tls.get_ca_certs():
        assert datetime.strptime(str(authority["notAfter"]), "%b %d %H:%M:%S %Y %Z").replace(tzinfo=UTC) > NOW
    assert Path(AMAZON_ROOTS).read_text().count("BEGIN CERTIFICATE") == len(names)


def test_values_are_read_as_they_were_sent(url: str) -> None:
    compared = statement(
        "select $1::bytea = '\\x00ff27', $2::timestamp = '2026-05-01 12:30:00.5', $3::int8, $3::int2, $4::boolean",
        *("octets", "instant", "number", "flag"),
    )
    given: Parameters = {"octets": b"\x00\xff'", "instant": NOW, "number": 7, "flag": False}
    assert connect(url).read(compared, given) == [[True, True, 7, 7, False]]


def test_it_reads_no_rows_one_and_many(url: str) -> None:
    numbers = statement("select n from generate_series(1, $1::int) n", "count")
    database = connect(url)
    for count in (0, 1, 50_000):
        assert database.read(numbers, {"count": count}) == [[number] for number in range(1, count + 1)]


def test_a_refused_statement_leaves_the_connection_usable(servers: stack.Stack) -> None:
    wire = Wire(servers.postgres)
    database = connect(f"postgresql://postgres@{HOST}:{wire.port}/postgres")
    with pytest.raises(Refused) as raised:
        database.read(statement("select 1 / $1::int", "zero"), {"zero": 0})
    assert light_connection.describe(raised.value) == "22012 division by zero"
    with pytest.raises(Refused) as raised:
        database.read(statement("select 'secret'::int"), {})
    assert "D" not in raised.value.args[0], "the detail quotes values"
    assert database.read(ONE, {}) == [[1]]
    assert wire.connections == 1
    wire.close()


@pytest.mark.parametrize("column", ["'text'::text", "null::int", "1.5", "now()"])
def test_an_answer_that_cannot_be_read_closes_the_connection(servers: stack.Stack, column: str) -> None:
    wire = Wire(servers.postgres)
    database = connect(f"postgresql://postgres@{HOST}:{wire.port}/postgres")
    with pytest.raises(UnreadableAnswer):
        database.read(statement(f"select 7, {column} from generate_series(1, 3)"), {})
    assert database.read(ONE, {}) == [[1]]
    assert wire.connections == 2
    wire.close()


def test_a_fatal_error_is_the_reason_of_a_lost_connection(url: str) -> None:
    with pytest.raises(ConnectionLost) as raised:
        connect(url).read(statement("select pg_terminate_backend(pg_backend_pid())"), {})
    assert light_connection.describe(raised.value) == "57P01 terminating connection due to administrator command"


@pytest.mark.parametrize("answer", [b"", b"N", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"R\x00\x00\x00\x00"])
def test_a_server_that_speaks_otherwise_is_unreachable(answer: bytes) -> None:
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            client.sendall(answer)
            client.close()

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(Unreachable):
            connect(f"postgresql://api@{HOST}:{listener.getsockname()[1]}/x", timeout=2).read(ONE, {})


def test_a_silent_server_is_waited_for_no_longer_than_the_time_out(url: str) -> None:
    with socket.create_server((HOST, 0)) as listener:
        started = time.monotonic()
        with pytest.raises(Unreachable):
            connect(f"postgresql://api@{HOST}:{listener.getsockname()[1]}/x", timeout=0.3).read(ONE, {})
    with pytest.raises(ConnectionLost):
        connect(url, timeout=0.3).read(statement("select 1 from pg_sleep(5)"), {})
    assert time.monotonic() - started < 4


def test_a_write_may_be_lost(url: str, caplog: pytest.LogCaptureFixture) -> None:
    database = connect(url)
    database.read(ONE, {})
    database.try_write(statement("select 1 / 0"), {})
    database.try_write(statement("select pg_terminate_backend(pg_backend_pid())"), {})
    database.close()
    database.server = connect(f"postgresql://postgres@{HOST}:1/x").server
    database.try_write(ONE, {})
    assert [record.getMessage() for record in caplog.records] == [
        "lost: 22012 division by zero",
        "lost: 57P01 terminating connection due to administrator command",
        "lost: [Errno 111] Connection refused",
    ]


def test_a_write_is_not_sent_if_the_read_before_it_was_slow(
    servers: stack.Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(servers.postgres)
    database = connect(f"postgresql://postgres@{HOST}:{wire.port}/postgres")
    database.read(ONE, {})
    began = time.monotonic()
    assert wire.count(lambda: database.try_write(ONE, {})) == 1
    monkeypatch.setattr(light_connection, "monotonic", lambda: began + 1.1)
    assert wire.count(lambda: database.try_write(ONE, {})) == 0
    wire.close()

"""`make db-check` without a connection: one line says which part of the URL or of the server is wrong."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import make_url, text

from database import adopt as adopt_command
from database import check as check_command
from database import connection as connection_module
from database import upgrade as upgrade_command
from database.check import looked_at
from database.connection import connected, is_pooled
from database.embedded import Server, free_port
from migrations.upgrade import engine
from tests.support import stack

ELSEWHERE = "127.0.0.2"  # another host, as far as TLS is concerned


@contextmanager
def listening(answer: Callable[[socket.socket], object], host: str = "127.0.0.1") -> Iterator[int]:
    """Answer one connection as something that is not PostgreSQL would."""
    with socket.create_server((host, 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                answer(connection)
                # Closing with unread bytes would reset the connection, and the client may then lose the answer.
                with suppress(OSError):
                    connection.settimeout(0.2)  # the client may keep its end open until its exception is collected
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(1000):
                        pass

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


def only_line(url: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that is said of a database that cannot be looked at."""
    assert check_command.check(url) == 2
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
        check_command.main()


@pytest.mark.parametrize("password", ["p@ss/w%23rd", "p@ss#word", "p@ss:word", "p@"])
@pytest.mark.parametrize("run", [upgrade_command.main, check_command.main, adopt_command.main])
def test_nothing_of_a_password_is_shown_that_is_not_escaped(
    password: str, run: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://me:{password}@127.0.0.1:1/db")
    with pytest.raises(SystemExit) as ended:
        run()
    output = f"{ended.value.code}{''.join(capsys.readouterr())}"
    assert "write special characters as %XX" in output
    assert "ss" not in output.replace("password", "")


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
    output = only_line(guarded.url("postgres").replace("postgres@", f"{user}@"), capsys)
    assert line in output
    assert "wrong" not in output


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
    monkeypatch.setattr(connection_module, "CONNECT_SECONDS", 0.3)
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

    monkeypatch.setattr(check_command, "tables_of", broken)
    assert "could not be looked at: " in only_line(adopted, capsys)


def test_a_pooler_is_noticed(pooled_servers: stack.Stack, adopted: str) -> None:
    with connected(pooled_servers.pooled("postgres", "postgres")) as connection:
        assert is_pooled(connection)
    with connected(adopted) as connection:
        assert not is_pooled(connection)

"""The authorizer reports who calls."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.compiled import Compiled
from goatedvips.domain.accounts import compiled_statements
from goatedvips.light_connection import Database, Parameters
from goatedvips.models.accounts import sessions, users
from goatedvips.postgres_server import Server
from tests.support import stack
from tests.support.functions import Functions, event, load
from tests.support.lives import PASSWORD, STORED
from tests.support.members import Member, Members
from tests.support.wire import Wire

NOW = datetime.now(UTC)
NOBODY = {"isAuthorized": True, "context": {}}
UNDECIDED = {"isAuthorized": True, "context": {"undecided": True}}


def ask(functions: Functions, *authorization: str, now: datetime = NOW) -> dict[str, Any]:
    answer: dict[str, Any] = functions.invoke("authorize", {"identitySource": list(authorization)}, now=now)
    return answer


def bearer(member: Member) -> str:
    return f"Bearer {member.token}"


def rows(database: sa.Engine, member: Member) -> tuple[datetime | None, bool, datetime]:
    """The member's `last_active` and `is_active`, and the session's `expires_at`."""
    with database.connect() as connection:
        user = connection.execute(sa.select(users).where(users.c.id == member.id)).one()
        session = connection.execute(sa.select(sessions).where(sessions.c.id == member.session_id)).one()
    return user.last_active, user.is_active, session.expires_at


def test_it_authenticates_members_and_staff_by_their_token(functions: Functions, members: Members) -> None:
    for member in (members.new(), members.staff()):
        assert ask(functions, bearer(member)) == {
            "isAuthorized": True,
            "context": {"user_id": member.id, "session_id": member.session_id, "is_staff": member.is_staff},
        }


def test_it_understands_the_sample_event(functions: Functions, members: Members) -> None:
    member = members.new()
    sample = load_sample()
    assert functions.invoke("authorize", sample) == NOBODY
    sample["identitySource"] = [bearer(member)]
    assert functions.invoke("authorize", sample)["context"]["user_id"] == member.id


def load_sample() -> dict[str, Any]:
    return event("get_me") | {"type": "REQUEST", "identitySource": ["Bearer gvp_" + "A" * 43]}


def test_the_authorization_scheme_is_case_insensitive(functions: Functions, members: Members) -> None:
    member = members.new()
    assert ask(functions, f"bearer {member.token}")["context"]
    assert ask(functions, f"BEARER  {member.token}")["context"]


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "{token}",
        "Token {token}",
        "Bearer {token} ",
        "Bearer {token}\n",
        "Bearer {token},Bearer {token}",
        "Bearer {token} {token}",
        "Bearer {upper}",
        "Bearer gvp_" + "A" * 43,
        "Bearer gvp_" + "é" * 43,
        "Bearer gvp_\ud800" + "A" * 42,
        "Bearer gvp_\x00" + "A" * 42,
        "Bearer ' OR 1=1 --",
        "Bearer " + "A" * 1_000_000,
        " " * 100_000,
    ],
)
def test_any_other_header_value_authenticates_nobody(
    functions: Functions, members: Members, authorization: str
) -> None:
    member = members.new()
    given = authorization.replace("{token}", member.token).replace("{upper}", member.token.upper())
    assert ask(functions, given) == NOBODY


@pytest.mark.parametrize("payload", [{}, {"identitySource": None}, {"identitySource": []}])
def test_a_missing_header_authenticates_nobody(functions: Functions, payload: dict[str, Any]) -> None:
    assert functions.invoke("authorize", payload) == NOBODY


def test_two_headers_authenticate_nobody(functions: Functions, members: Members) -> None:
    member = members.new()
    assert ask(functions, bearer(member), bearer(member)) == NOBODY


def test_ended_expired_and_suspended_sessions_authenticate_nobody(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    ended, expired = members.new(), members.new()
    members.end_session(ended)
    assert ask(functions, bearer(ended)) == NOBODY
    _, _, end = rows(database, expired)
    assert ask(functions, bearer(expired), now=end) == NOBODY
    assert ask(functions, bearer(expired), now=end - timedelta(microseconds=1))["context"]
    suspended = members.new(suspended_at=NOW)
    assert ask(functions, bearer(suspended)) == NOBODY
    assert rows(database, suspended)[0] is None, "no activity of theirs is recorded"


def test_it_authenticates_an_excluded_member(functions: Functions, members: Members) -> None:
    assert ask(functions, bearer(members.new(excluded_permanently=True)))["context"]


def test_it_records_activity_and_extends_the_session_at_most_once_in_5_minutes(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new()
    start = datetime.now(UTC) + timedelta(minutes=10)  # the session began now, which can be long after the import
    ask(functions, bearer(member), now=start)
    assert rows(database, member) == (start, True, start + timedelta(days=30))
    ask(functions, bearer(member), now=start + timedelta(minutes=5) - timedelta(microseconds=1))
    assert rows(database, member) == (start, True, start + timedelta(days=30))
    later = start + timedelta(minutes=5)
    ask(functions, bearer(member), now=later)
    assert rows(database, member) == (later, True, later + timedelta(days=30))


def test_it_marks_an_idle_member_as_active_again(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new(is_active=False, last_active=NOW - timedelta(days=31))
    ask(functions, bearer(member))
    assert rows(database, member)[:2] == (NOW, True)


def test_it_does_not_wait_for_a_locked_row(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new()
    with database.connect().execution_options(isolation_level="READ COMMITTED") as other, other.begin():
        other.execute(sa.update(users).where(users.c.id == member.id).values(bio="being written"))
        later = datetime.now(UTC) + timedelta(minutes=10)
        assert ask(functions, bearer(member), now=later)["context"]
    last_active, _, expires_at = rows(database, member)
    assert last_active is None
    assert expires_at == later + timedelta(days=30)


def test_it_does_not_wait_for_a_locked_session(functions: Functions, members: Members, database: sa.Engine) -> None:
    member, later = members.new(), datetime.now(UTC) + timedelta(minutes=10)
    before = rows(database, member)
    lock = sa.select(sessions).where(sessions.c.id == member.session_id).with_for_update()
    with database.connect().execution_options(isolation_level="READ COMMITTED") as other, other.begin():
        other.execute(lock)
        assert ask(functions, bearer(member), now=later)["context"] == member.caller
        assert rows(database, member) == (later, True, before[2])
        other.execute(sa.select(users).where(users.c.id == member.id).with_for_update())
        assert ask(functions, bearer(member), now=later + timedelta(minutes=10))["context"] == member.caller
    assert rows(database, member) == (later, True, before[2])


def test_a_member_is_known_though_a_table_is_locked_against_writes(
    functions: Functions,
    members: Members,
    database: sa.Engine,
    servers: stack.Stack,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As by the building of an index; the write then waits, but no longer than the socket's time-out."""
    member = members.new()
    use(monkeypatch, servers.direct(os.environ["TEST_DATABASE"]), timeout=0.5)
    with database.connect().execution_options(isolation_level="READ COMMITTED") as other, other.begin():
        other.exec_driver_sql("LOCK TABLE sessions IN SHARE MODE")
        assert ask(functions, bearer(member))["context"] == member.caller
    assert "lost: timed out" in caplog.text


@pytest.mark.parametrize("change", ["suspended", "ended", "expired", "erased"])
def test_nothing_is_recorded_for_a_session_that_ends_after_it_was_read(
    functions: Functions, members: Members, database: sa.Engine, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    member = members.new()
    module = load("authorize")
    write = module.database.try_write

    def change_then_write(statement: Compiled, parameters: Parameters) -> None:
        with database.connect() as connection:
            if change == "suspended":
                connection.execute(sa.update(users).where(users.c.id == member.id).values(suspended_at=NOW))
            else:
                values = {"expires_at": NOW} if change == "expired" else {"ended_at": NOW}
                mine = sa.update(sessions).where(sessions.c.id == member.session_id)
                connection.execute(mine.values(values))
            if change == "erased":
                connection.execute(sa.update(users).where(users.c.id == member.id).values(erased_at=NOW))
        write(statement, parameters)

    monkeypatch.setattr(module.database, "try_write", change_then_write)
    before = rows(database, member)
    assert ask(functions, bearer(member), now=NOW + timedelta(minutes=10))["context"] == member.caller
    after = rows(database, member)
    assert after[:2] == before[:2] == (None, False)
    assert after[2] == (NOW if change == "expired" else before[2])


def test_an_erased_member_is_nobody(functions: Functions, members: Members) -> None:
    members.staff()
    member = members.new(password=STORED)
    assert functions.call("erase_me", by=member, body={"password": PASSWORD}).status == 204
    assert ask(functions, bearer(member)) == NOBODY


def test_a_change_of_rights_is_reported_at_once(functions: Functions, members: Members) -> None:
    member = members.new()
    for is_staff in (True, False):
        members.change(member, is_admin=is_staff)
        assert ask(functions, bearer(member))["context"]["is_staff"] is is_staff


def test_each_token_is_its_own_member_s(functions: Functions, members: Members) -> None:
    made = [members.new(seeds=False) for _ in range(20)]
    for member in (*made, *reversed(made)):
        assert ask(functions, bearer(member))["context"] == member.caller


def test_it_never_fails_whatever_the_server_answers(
    functions: Functions, members: Members, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    member = members.new()
    find = compiled_statements.FIND_LIVE
    unreadable = Compiled(find.source, find.text.replace("sessions.id AS", "'text'::text AS"), find.parameters)
    with monkeypatch.context() as patched:
        patched.setattr(compiled_statements, "FIND_LIVE", unreadable)
        assert ask(functions, bearer(member)) == UNDECIDED
    assert "undecided: KeyError: 25" in caplog.text
    assert ask(functions, bearer(member))["context"] == member.caller


@pytest.fixture
def wire(servers: stack.Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The authorizer's connections, past the pooler, to be counted and cut."""
    wire = Wire(servers.postgres)
    url = sa.make_url(os.environ["DATABASE_URL"]).set(port=wire.port).render_as_string()
    use(monkeypatch, url)
    yield wire
    wire.close()


def use(monkeypatch: pytest.MonkeyPatch, url: str, *, timeout: float = 10.0, log_queries: bool = False) -> Database:
    """Let the authorizer connect to this URL."""
    made = Database(Server(url, iam=False, ca_file="", timeout=timeout), log_queries=log_queries)
    monkeypatch.setattr(load("authorize"), "database", made)
    return made


def test_it_reports_undecided_if_the_database_is_out_of_reach(
    functions: Functions, members: Members, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use(monkeypatch, "postgresql://api@127.0.0.1:1/nowhere")
    assert ask(functions, bearer(members.new())) == UNDECIDED
    assert "undecided: [Errno 111] Connection refused" in caplog.text
    assert ask(functions, "Basic dXNlcjpwYXNz") == NOBODY, "a header without a token needs no database"


def test_it_reports_undecided_if_the_database_refuses_it(
    functions: Functions,
    members: Members,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    servers: stack.Stack,
) -> None:
    use(monkeypatch, servers.direct("absent", "api"))
    assert ask(functions, bearer(members.new())) == UNDECIDED
    assert 'undecided: 3D000 database "absent" does not exist' in caplog.text
    use(monkeypatch, servers.direct("postgres"))
    for _ in range(2):
        assert ask(functions, bearer(members.new())) == UNDECIDED
    assert "undecided: 42P01 relation" in caplog.text


def test_it_retries_once_after_a_lost_connection(wire: Wire, functions: Functions, members: Members) -> None:
    member = members.new()
    assert ask(functions, bearer(member))["context"]
    wire.cut()
    assert ask(functions, bearer(member))["context"]
    assert wire.connections == 2


def test_it_replaces_a_connection_that_was_idle_for_a_minute(
    wire: Wire, functions: Functions, members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = members.new()
    ask(functions, bearer(member))
    began = time.monotonic()
    monkeypatch.setattr("goatedvips.light_connection.monotonic", lambda: began + 59)
    ask(functions, bearer(member))
    assert wire.connections == 1
    monkeypatch.setattr("goatedvips.light_connection.monotonic", lambda: began + 120)
    assert ask(functions, bearer(member))["context"]
    assert wire.connections == 2


def test_a_member_is_known_though_the_database_is_read_only(
    functions: Functions,
    members: Members,
    database: sa.Engine,
    servers: stack.Stack,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    member = members.new()
    name = os.environ["TEST_DATABASE"]
    with database.connect() as connection:
        connection.exec_driver_sql(f"ALTER ROLE api IN DATABASE {name} SET default_transaction_read_only = on")
        try:
            use(monkeypatch, servers.direct(name, "api"))
            assert ask(functions, bearer(member))["context"] == member.caller
        finally:
            connection.exec_driver_sql(f"ALTER ROLE api IN DATABASE {name} RESET default_transaction_read_only")
    assert "lost: 25006 cannot execute" in caplog.text
    assert rows(database, member)[0] is None
    assert ask(functions, bearer(member))["context"] == member.caller
    assert rows(database, member)[0] == NOW, "the connection to the read-only server was replaced"


def test_queries_are_logged_with_their_time_and_without_their_values(
    functions: Functions,
    members: Members,
    servers: stack.Stack,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    use(monkeypatch, servers.direct(os.environ["TEST_DATABASE"]), log_queries=True)
    member = members.new()
    with caplog.at_level(logging.INFO, "goatedvips.db"):
        ask(functions, bearer(member))
    read, write = (record for record in caplog.records if record.name == "goatedvips.db")
    assert (read.statement, read.rows) == (compiled_statements.FIND_LIVE.text, 1)  # type: ignore[attr-defined]
    assert (write.statement, write.rows) == (compiled_statements.RECORD_USE.text, 0)  # type: ignore[attr-defined]
    assert read.milliseconds > 0  # type: ignore[attr-defined]
    assert member.token not in str(read.__dict__)


def test_it_imports_little() -> None:
    program = "import runpy, sys; runpy.run_path('functions/operations/authorize.py'); print(*sys.modules)"
    environment = {"PYTHONPATH": "shared", "DATABASE_URL": "postgresql://api@127.0.0.1/nowhere"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    imported = {module.partition(".")[0] for module in done.stdout.split()}
    assert "goatedvips" in imported
    assert not imported & {
        *("sqlalchemy", "pg8000", "scramp", "dateutil", "pydantic", "aws_lambda_powertools", "argon2", "boto3"),
        *("asyncio", "email", "http", "importlib_metadata", "secrets", "random", "ssl"),
    }

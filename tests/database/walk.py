"""What members do on an adopted database: each request must be answered, for an adopted member and for a new one."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from goatedvips import db, light_db
from goatedvips.domain.notifications import mailed_tokens
from goatedvips.light_connection import Database
from goatedvips.postgres_server import Server
from tests.support.credentials import network_address
from tests.support.edges import use
from tests.support.functions import Answer, Functions, load
from tests.support.members import Member

type Expect = Callable[[int, str, Answer], Answer]

PASSWORD, NEW_PASSWORD = "goats like long walks", "sheep prefer short ones"


@contextmanager
def functions_on(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Functions]:
    """Let the functions use this database, as the role `api`."""
    api = sa.make_url(url).set(username="api", password=None)
    server = Server(api.render_as_string(), iam=False, ca_file="", timeout=10)
    monkeypatch.setattr(load("authorize"), "database", Database(server))
    engine = use(monkeypatch, api.render_as_string())
    try:
        yield Functions(monkeypatch)
    finally:
        engine.dispose()
        light_db.database().close()


def walk(functions: Functions, codes: tuple[str, str], race_id: int, adopted: str) -> list[str]:
    """Do everything once as the adopted member of this name, and once as a new one; return what was refused."""
    refused: list[str] = []

    def expect(status: int, what: str, answer: Answer) -> Answer:
        if answer.status != status:
            refused.append(f"{what}: {answer.status} {answer.text}")
        return answer

    name = f"new-{secrets.token_hex(5)}"
    account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    expect(201, "register", functions.call("register", body=account, address=network_address()))
    for username, code in zip((adopted, name), codes, strict=True):
        body = {"login": username.upper(), "password": PASSWORD}
        answer = expect(201, f"log_in {username}", functions.call("log_in", body=body, address=network_address()))
        if answer.status != 201:
            continue
        member = _member(functions, answer)
        expect(201, f"spin {username}", functions.call("spin_wheel", by=member))
        expect(201, f"claim {username}", functions.call("claim_code", by=member, body={"code": code}))
        joined = functions.call("join_race", by=member, path=f"/v1/races/{race_id}/participants")
        expect(201, f"join {username}", joined)
        ticket = {"subject": "Bonus", "description": "Where is it?"}
        expect(201, f"ticket {username}", functions.call("open_ticket", by=member, body=ticket))
        email = {"email": f"{secrets.token_hex(5)}@example.com"}
        expect(202, f"subscribe {username}", functions.call("subscribe", body=email))
        _reset(functions, member, expect)
    return refused


def _member(functions: Functions, answer: Answer) -> Member:
    token, user = answer.json["token"], answer.json["user"]
    context = functions.invoke("authorize", {"identitySource": [f"Bearer {token}"]})["context"]
    return Member(user["id"], user["username"], user["email"], context["session_id"], token, context["is_staff"])


def _reset(functions: Functions, member: Member, expect: Expect) -> None:
    answer = functions.call("request_password_reset", body={"email": member.email}, address=network_address())
    expect(202, f"request reset {member.username}", answer)
    now = datetime.now(UTC)
    with db.transaction() as connection:
        queued = sa.text("SELECT count(*) FROM outbox WHERE kind = 'password_reset' AND address = :email")
        assert connection.execute(queued, {"email": member.email}).scalar_one() == 1
        token = mailed_tokens.make_for_reset(connection, member.id, member.email, asked_at=now, now=now)
    reset = functions.call("reset_password", body={"token": token, "password": NEW_PASSWORD})
    expect(204, f"reset {member.username}", reset)
    body = {"login": member.username, "password": NEW_PASSWORD}
    expect(201, f"log_in again {member.username}", functions.call("log_in", body=body, address=network_address()))

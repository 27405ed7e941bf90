"""What each request costs on the wire, on a warm connection through the pooler."""

import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips import db
from goatedvips.domain import fairness, mailed_tokens
from tests import stack
from tests.members import Members
from tests.requests import Functions
from tests.wire import Wire


@pytest.fixture
def wire(servers: stack.Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """Lead the handlers through a counter."""
    wire = Wire(servers.pooler or servers.postgres)
    url = sa.make_url(os.environ["DATABASE_URL"]).set(port=wire.port)
    engine = db.make_engine(url.render_as_string(hide_password=False))
    monkeypatch.setattr(db, "engine", lambda: engine)
    with db.reading() as connection:
        connection.execute(sa.text("select 1"))
    yield wire
    engine.dispose()
    wire.close()


def trips(wire: Wire, functions: Functions, name: str, status: int, **changes: Any) -> int:
    """The round trips of a call that must be answered so."""
    before = wire.trips
    answer = functions.call(name, **changes)
    assert answer.status == status, answer.text
    return wire.trips - before


@pytest.mark.parametrize("drawn", [0, 6], ids=["win", "loss"])
def test_a_spin_takes_two_trips_and_four_with_a_key(
    wire: Wire, functions: Functions, members: Members, monkeypatch: pytest.MonkeyPatch, drawn: int
) -> None:
    monkeypatch.setattr(fairness, "draw", lambda *_: drawn)
    assert trips(wire, functions, "spin_wheel", 201, by=members.new()) == 2
    assert trips(wire, functions, "spin_wheel", 201, by=members.new(), headers={"idempotency-key": "k"}) == 4


def test_a_wheel_is_read_in_one_trip(wire: Wire, functions: Functions, members: Members) -> None:
    assert trips(wire, functions, "get_wheel", 200) == 1
    assert trips(wire, functions, "get_my_wheel", 200, by=members.new()) == 1


def test_a_caller_is_known_in_one_trip(wire: Wire, functions: Functions, members: Members) -> None:
    payload = {"identitySource": [f"Bearer {members.new().token}"]}
    for _ in range(2):  # the first notes activity too
        assert wire.count(lambda: functions.invoke("authorize", payload)) == 1
    assert wire.count(lambda: functions.invoke("authorize", {"identitySource": ["Bearer of bad news"]})) == 0


def test_an_account_takes_three_trips_each_to_be_made_and_to_be_entered(wire: Wire, functions: Functions) -> None:
    """Two to count the attempt in its turn, and one that decides."""
    name, network = f"goat-{secrets.token_hex(6)}", f"2001:db8:{secrets.randbelow(65536):x}::1"
    body = {"username": name, "email": f"{name}@example.com", "password": "goats like long walks"}
    assert trips(wire, functions, "register", 201, body=body, address=network) == 3
    body = {"login": name, "password": "goats like long walks"}
    assert trips(wire, functions, "log_in", 201, body=body, address=network) == 3
    body["password"] = "wrong"
    assert trips(wire, functions, "log_in", 401, body=body, address=network) == 2


def test_a_member_and_the_health_are_read_in_one_trip(wire: Wire, functions: Functions, members: Members) -> None:
    assert trips(wire, functions, "get_me", 200, by=members.new()) == 1
    assert trips(wire, functions, "get_health", 200) == 1


def test_a_mailed_token_is_used_in_one_trip(wire: Wire, functions: Functions, members: Members) -> None:
    member = members.new(email_verified=False)
    with db.transaction() as connection:
        token = mailed_tokens.make_for_member(connection, member.id, member.email, now=datetime.now(UTC))
    assert trips(wire, functions, "verify_email", 200, body={"token": token}) == 1


def test_a_subscription_takes_one_trip_whatever_its_state(wire: Wire, functions: Functions) -> None:
    email = f"{secrets.token_hex(6)}@example.com"
    for _ in range(3):
        assert trips(wire, functions, "subscribe", 202, body={"email": email}) == 1
    assert trips(wire, functions, "confirm_subscription", 404, body={"token": "nobody's"}) == 1


def test_a_claim_takes_one_trip_three_with_a_key_and_three_to_be_refused_whatever_the_reason(
    wire: Wire, functions: Functions, members: Members
) -> None:
    def issue(**terms: object) -> dict[str, str]:
        given = {"value": "5.00", "expires_at": "2099-01-01T00:00:00Z"} | terms
        return {"code": functions.call("issue_codes", by=members.staff(), body=given).json["code"]}

    member, code = members.new(), issue()
    assert trips(wire, functions, "claim_code", 201, by=member, body=code) == 1
    assert trips(wire, functions, "claim_code", 200, by=member, body=code) == 1
    key = {"idempotency-key": "k"}
    assert trips(wire, functions, "claim_code", 201, by=members.new(), body=code, headers=key) == 3
    for refused in (issue(user_id=member.id), issue(starts_at="2098-01-01T00:00:00Z"), {"code": "absent"}):
        assert trips(wire, functions, "claim_code", 404, by=members.new(), body=refused) == 3
    assert trips(wire, functions, "list_codes", 200, by=member) == 1


def test_a_code_is_issued_in_one_trip(wire: Wire, functions: Functions, members: Members) -> None:
    body = {"value": "5.00", "expires_at": "2099-01-01T00:00:00Z"}
    assert trips(wire, functions, "issue_codes", 201, by=members.staff(), body=body) == 1


def test_a_ticket_takes_one_trip_each_to_be_opened_and_to_be_read(
    wire: Wire, functions: Functions, members: Members
) -> None:
    member, body = members.new(), {"subject": "Help", "description": "Please."}
    assert trips(wire, functions, "open_ticket", 201, by=member, body=body) == 1
    assert trips(wire, functions, "open_ticket", 201, by=member, body=body, headers={"idempotency-key": "k"}) == 3
    ticket = functions.call("list_tickets", by=member).json["items"][0]
    assert trips(wire, functions, "list_tickets", 200, by=member) == 1
    assert trips(wire, functions, "get_ticket", 200, by=member, path=f"/v1/tickets/{ticket['id']}") == 1


def test_a_race_takes_one_trip_each_to_be_made_joined_and_read(
    wire: Wire, functions: Functions, members: Members
) -> None:
    body = {
        "title": "Counted",
        "type": "weekly",
        "prize_pool": "100.00",
        "start_date": "2099-01-01T00:00:00Z",
        "end_date": "2099-01-08T00:00:00Z",
        "min_wager": "0.00",
        "prize_distribution": {"1": 100},
    }
    staff = members.staff()
    assert trips(wire, functions, "create_race", 201, by=staff, body=body) == 1
    race = functions.call("create_race", by=staff, body=body).json["id"]
    joining = f"/v1/races/{race}/participants"
    member = members.new()
    assert trips(wire, functions, "join_race", 201, by=member, path=joining) == 1
    assert trips(wire, functions, "join_race", 200, by=member, path=joining) == 1
    key = {"idempotency-key": "k"}
    assert trips(wire, functions, "join_race", 201, by=members.new(), path=joining, headers=key) == 3
    assert trips(wire, functions, "list_races", 200) == 1
    assert trips(wire, functions, "get_race", 200, path=f"/v1/races/{race}") == 1
    assert trips(wire, functions, "get_leaderboard", 200, path=f"/v1/races/{race}/leaderboard") == 1

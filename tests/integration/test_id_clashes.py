"""Ids that the legacy application inserted ahead of a sequence: a request takes the next free one and is answered."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.functions import Functions
from tests.support.members import Members

AHEAD = 5

# What the legacy application, or a person with psql, inserts with an id of its own choice.
ROWS = {
    "users": "(id, username, password, email) SELECT id, 'shell-' || id, '', 'shell-' || id FROM next_ids",
    "wheel_spins": "(id, segment_index) SELECT id, 0 FROM next_ids",
    "bonus_codes": "(id, code, expires_at) SELECT id, 'hand-' || id, now() FROM next_ids",
    "newsletter_subscriptions": "(id, email) SELECT id, 'hand-' || id FROM next_ids",
    "support_tickets": "(id, subject, description) SELECT id, '', '' FROM next_ids",
    "outbox": "(id, kind, created_at, due_at, sent_at) SELECT id, 'hand', now(), now(), now() FROM next_ids",
}


@pytest.fixture(autouse=True)
def sequences(database: sa.Engine) -> Iterator[None]:
    """Move the sequences past the inserted ids after each test: other tests insert through stock drivers."""
    yield
    with database.connect() as connection:
        for table in ROWS:
            connection.execute(sa.text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"))


def insert_ahead(database: sa.Engine, table: str) -> None:
    """Insert rows with the next ids of the table's sequence, which stays where it is."""
    statement = f"""
        WITH last AS (SELECT nextval(pg_get_serial_sequence('{table}', 'id')) AS id),
        next_ids AS (SELECT id + n AS id FROM last, generate_series(1, {AHEAD}) n)
        INSERT INTO {table} {ROWS[table]}
    """
    with database.connect() as connection:
        connection.execute(sa.text(statement))


def registration(_: Members) -> dict[str, Any]:
    name = f"new-{secrets.token_hex(5)}"
    return {"body": {"username": name, "email": f"{name}@a.example", "password": "four goats dance"}}


def new_code(members: Members) -> dict[str, Any]:
    return {
        "by": members.staff(),
        "body": {"code": secrets.token_hex(8), "value": "1.00", "expires_at": "2099-01-01T00:00:00Z"},
    }


def keyed(request: Callable[[Members], dict[str, Any]]) -> Callable[[Members], dict[str, Any]]:
    return lambda members: request(members) | {"headers": {"idempotency-key": "k"}}


def spin(members: Members) -> dict[str, Any]:
    return {"by": members.new()}


def ticket(members: Members) -> dict[str, Any]:
    return {"by": members.new(), "body": {"subject": "Bonus", "description": "Where is it?"}}


def subscription(_: Members) -> dict[str, Any]:
    return {"body": {"email": f"{secrets.token_hex(8)}@a.example"}}


@pytest.mark.parametrize(
    ("table", "function", "request_of"),
    [
        ("users", "register", registration),
        ("outbox", "register", registration),
        ("wheel_spins", "spin_wheel", spin),
        ("wheel_spins", "spin_wheel", keyed(spin)),
        ("bonus_codes", "issue_codes", keyed(new_code)),
        ("newsletter_subscriptions", "subscribe", subscription),
        ("support_tickets", "open_ticket", ticket),
        ("support_tickets", "open_ticket", keyed(ticket)),
    ],
)
def test_a_taken_id_is_passed_over(
    table: str,
    function: str,
    request_of: Callable[[Members], dict[str, Any]],
    functions: Functions,
    members: Members,
    database: sa.Engine,
) -> None:
    given = request_of(members)
    insert_ahead(database, table)
    answer = functions.call(function, **given)
    assert answer.status in (201, 202), answer.text
    with database.connect() as connection:
        newest = connection.execute(
            sa.text(f"SELECT max(id), min(id) FROM (SELECT id FROM {table} ORDER BY id DESC LIMIT {AHEAD + 1}) newest")
        )
        last, first = newest.one()
    assert last - first >= AHEAD  # it was written behind the ids that were taken


def test_a_registration_with_taken_ids_counts_once(functions: Functions, members: Members, database: sa.Engine) -> None:
    insert_ahead(database, "users")
    network = "203.0.113.77"
    assert functions.call("register", **registration(members), address=network).status == 201
    with database.connect() as connection:
        number_of_attempts = sa.text("SELECT count(*) FROM attempts WHERE kind = 'register' AND address = :network")
        assert connection.execute(number_of_attempts, {"network": network}).scalar_one() == 1


def test_ids_that_stay_taken_are_503_and_never_a_taken_name(
    functions: Functions, members: Members, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("goatedvips.database_problems.RETRY_ID_CLASH_SECONDS", -1.0)
    monkeypatch.setattr("goatedvips.http.api.RETRY_WITHIN", -1.0)
    insert_ahead(database, "users")
    refused = functions.call("register", **registration(members))
    assert (refused.status, refused.json["code"]) == (503, "database_unavailable")

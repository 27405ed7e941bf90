"""Someone becomes a member."""

import secrets
from collections.abc import Callable
from copy import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.accounts import passwords
from goatedvips.models.accounts import attempts, erased_identities, sessions, users
from goatedvips.models.notifications import outbox
from goatedvips.models.wheel import wheel_seeds
from tests.support.credentials import count_mail_requests, mails
from tests.support.functions import Answer, Functions, load
from tests.support.members import Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
PASSWORD = "goats like long walks"


def name() -> str:
    return f"Goat-{secrets.token_hex(6)}"


def address() -> str:
    """One that no other test has used up."""
    return f"2001:db8:{secrets.randbelow(65536):x}:{secrets.randbelow(65536):x}::1"


def form(**changes: object) -> dict[str, Any]:
    username = name()
    return {"username": username, "email": f"{username}@Example.com", "password": PASSWORD} | changes


def register(functions: Functions, *, at: str | None = None, now: datetime = NOON, **changes: object) -> Answer:
    return functions.call("register", body=form(**changes), address=at or address(), now=now)


def test_a_new_member_is_written_with_seeds_and_the_mail_that_verifies(
    functions: Functions, database: sa.Engine
) -> None:
    body = form()
    answer = functions.call("register", body=body, address=address(), now=NOON)
    assert answer.status == 201
    assert answer.json == {"id": answer.json["id"], "username": body["username"], "email_verified": False}
    with database.connect() as connection:
        user = connection.execute(sa.select(users).where(users.c.id == answer.json["id"])).one()
        mail = connection.execute(sa.select(outbox).where(outbox.c.user_id == user.id)).one()
        seeds = connection.execute(sa.select(wheel_seeds).where(wheel_seeds.c.user_id == user.id)).all()
        assert connection.execute(sa.select(sessions).where(sessions.c.user_id == user.id)).all() == []
    assert (user.username, user.email) == (body["username"], body["email"]), "as written"
    assert (user.username_key, user.email_key) == (body["username"].lower(), body["email"].lower())
    assert (user.is_admin, user.verified, user.email_verified, user.created_at) == (False, False, False, NOON)
    assert user.password.startswith("$argon2id$")
    assert passwords.matches(user.password, PASSWORD)
    assert (mail.kind, mail.address, mail.payload, mail.due_at) == ("verification", body["email"], {}, NOON)
    assert sorted(seed.activated_at is None for seed in seeds) == [False, True]
    assert len({seed.server_seed for seed in seeds}) == 2
    assert {(len(seed.server_seed), seed.client_seed, seed.nonce) for seed in seeds} == {(32, str(user.id), 0)}


def test_the_seeds_are_the_ones_that_the_first_spin_is_drawn_from(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    body = form()
    registered = functions.call("register", body=body, address=address()).json
    session = functions.call("log_in", body={"login": body["username"], "password": PASSWORD}, address=address()).json
    with database.connect() as connection:
        session_id = connection.execute(
            sa.select(sessions.c.id).where(sessions.c.user_id == registered["id"])
        ).scalar_one()
    member = members.new()
    member = replace(member, id=registered["id"], session_id=session_id, token=session["token"])
    before = functions.call("get_my_wheel", by=member).json
    spin = functions.call("spin_wheel", by=member)
    assert spin.status == 201
    assert spin.json["fairness"]["server_seed_hash"] == before["server_seed_hash"]


def test_during_the_cut_over_passwords_are_written_in_the_legacy_format(
    functions: Functions, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load("register")
    monkeypatch.setattr(module, "settings", replace(module.settings, legacy_app=True))
    answer = register(functions)
    with database.connect() as connection:
        stored = connection.scalar(sa.select(users.c.password).where(users.c.id == answer.json["id"]))
    assert stored
    assert not stored.startswith("$")
    assert passwords.matches(stored, PASSWORD)


@pytest.mark.parametrize(
    ("field", "code"), [("username", "username_taken"), ("email", "email_taken")], ids=["username", "e-mail"]
)
@pytest.mark.parametrize("spelling", [str, str.upper, str.lower], ids=["as is", "upper", "lower"])
def test_a_taken_name_or_e_mail_is_refused_ignoring_case(
    functions: Functions, field: str, code: str, spelling: Callable[[str], str]
) -> None:
    first = form()
    assert functions.call("register", body=first, address=address()).status == 201
    refused = functions.call("register", body=form(**{field: spelling(first[field])}), address=address())
    assert (refused.status, refused.json["code"]) == (409, code)


def test_where_both_are_taken_the_username_is_named(functions: Functions) -> None:
    first = form()
    functions.call("register", body=first, address=address())
    assert functions.call("register", body=first, address=address()).json["code"] == "username_taken"


@pytest.mark.parametrize(("field", "code"), [("username", "username_taken"), ("email", "email_taken")])
def test_an_adopted_row_without_a_key_still_has_its_spelling(
    functions: Functions, members: Members, database: sa.Engine, field: str, code: str
) -> None:
    spelling = f"{name()}@example.com" if field == "email" else name()
    upper: dict[str, Any] = {field: spelling.upper(), f"{field}_key": spelling.lower()}
    older = members.new(**upper)
    without_key: dict[str, Any] = {field: spelling, f"{field}_key": None}
    adopted = members.new(**without_key)
    with database.connect() as connection:
        connection.execute(sa.text("ALTER TABLE users DISABLE TRIGGER USER"))
        connection.execute(
            sa.update(users).where(users.c.id == older.id).values({field: f"x{spelling}", f"{field}_key": None})
        )
        connection.execute(sa.text("ALTER TABLE users ENABLE TRIGGER USER"))
        assert connection.scalar(sa.select(users.c[f"{field}_key"]).where(users.c.id == adopted.id)) is None
    refused = functions.call("register", body=form(**{field: spelling}), address=address())
    assert (refused.status, refused.json["code"]) == (409, code)


@pytest.mark.parametrize("spelling", [str, str.upper, str.lower], ids=["as is", "upper", "lower"])
def test_an_exclusion_that_outlived_an_erasure_holds_from_the_start(
    functions: Functions, database: sa.Engine, spelling: Callable[[str], str]
) -> None:
    email, until = f"{name()}@Example.com", NOON + timedelta(days=30)
    identity = sa.func.identity_hash("email", email.lower())
    with database.connect() as connection:
        connection.execute(sa.insert(erased_identities).values(identity=identity, erased_at=NOON, excluded_until=until))
    found = []
    for address_of in (spelling(email), f"x{email}"):
        answer = register(functions, email=address_of)
        with database.connect() as connection:
            found.append(connection.execute(sa.select(users).where(users.c.id == answer.json["id"])).one())
    assert [(user.excluded_until, user.excluded_permanently) for user in found] == [(until, False), (None, False)]


@pytest.mark.parametrize(
    "domain", ["bücher-{}.example", "bu\u0308cher-{}.example", "BÜCHER-{}.example", "bücher-{}。example"]
)
def test_one_mailbox_is_one_address_in_whatever_form_its_domain_is_written(
    functions: Functions, database: sa.Engine, domain: str
) -> None:
    tail = secrets.token_hex(4)
    ascii_email = f"goat@{f'bücher-{tail}'.encode('idna').decode()}.example"
    answer = register(functions, email=f"goat@{domain.format(tail)}")
    assert answer.status == 201, answer.text
    with database.connect() as connection:
        stored = connection.execute(sa.select(users).where(users.c.id == answer.json["id"])).one()
    assert (stored.email, stored.email_key) == (ascii_email, ascii_email)
    assert register(functions, email=ascii_email.upper()).json["code"] == "email_taken"
    assert [mail.address for mail in mails(database, ascii_email)] == [ascii_email]


def test_a_reserved_word_within_a_username_is_allowed(functions: Functions) -> None:
    assert register(functions, username=f"staff-{secrets.token_hex(4)}").status == 201


def test_a_refusal_leaves_no_member_seed_or_mail(functions: Functions, database: sa.Engine) -> None:
    first = form()
    functions.call("register", body=first, address=address())

    def rows() -> list[Any]:
        with database.connect() as connection:
            return [
                connection.scalar(sa.select(sa.func.count()).select_from(table))
                for table in (users, wheel_seeds, outbox)
            ]

    before = rows()
    assert register(functions, email=first["email"]).status == 409
    assert rows() == before


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"username": "ab"}, "/username"),
        ({"username": "a" * 33}, "/username"),
        ({"username": "two words"}, "/username"),
        ({"username": "goat\n"}, "/username"),
        ({"username": "góat"}, "/username"),
        ({"username": "goat\x00"}, "/username"),
        ({"username": "_.-"}, "/username"),
        ({"username": "admin"}, "/username"),
        ({"username": "S.u-p_port"}, "/username"),
        ({"username": "GoatedVIPs"}, "/username"),
        ({"username": 12345}, "/username"),
        ({"username": None}, "/username"),
        ({"email": "goat"}, "/email"),
        ({"email": "goat@"}, "/email"),
        ({"email": "goat@localhost"}, "/email"),
        ({"email": "goat@@example.com"}, "/email"),
        ({"email": "a goat@example.com"}, "/email"),
        ({"email": "goat@example.com\r\nBcc: all@example.com"}, "/email"),
        ({"email": "goat@example.com,other@example.com"}, "/email"),
        ({"email": "<goat@example.com>"}, "/email"),
        ({"email": f"goat@{'a' * 63}.{'a' * 63}.{'a' * 63}.{'a' * 63}.com"}, "/email"),
        ({"email": "goat@example.com\x00"}, "/email"),
        ({"email": "göat@example.com"}, "/email"),
        ({"email": ".goat@example.com"}, "/email"),
        ({"email": "goat.@example.com"}, "/email"),
        ({"email": "go..at@example.com"}, "/email"),
        ({"email": f"{'g' * 65}@example.com"}, "/email"),
        ({"email": '"goat"@example.com'}, "/email"),
        ({"email": "goat@example.com."}, "/email"),
        ({"email": "goat@bücher.example。"}, "/email"),
        ({"email": "goat@192.0.2.1"}, "/email"),
        ({"email": "goat@\uff11\uff19\uff12.0.2.1"}, "/email"),
        ({"email": "goat@[192.0.2.1]"}, "/email"),
        ({"email": "goat@exa_mple.com"}, "/email"),
        ({"email": "goat@-example.com"}, "/email"),
        ({"email": "goat@xn--.com"}, "/email"),
        ({"email": "goat@💩.example"}, "/email"),
        ({"email": f"goat@{'é' * 250}.com"}, "/email"),
        ({"email": "goat\ud800@example.com"}, "/email"),
        ({"password": "eleven char"}, "/password"),
        ({"password": "a" * 129}, "/password"),
        ({"password": "twelve chars\x00"}, "/password"),
        ({"password": "twelve chars\udfff"}, "/password"),
        ({"password": 123456789012}, "/password"),
        ({"password": "1Q2w3e4r5t6y"}, "/password"),
        ({"username": "goats.of.old", "password": "Goats.Of.Old"}, "/password"),
        ({"email": "goat@example.org", "password": "GOAT@example.org"}, "/password"),
        ({"is_admin": True}, "/is_admin"),
    ],
)
def test_an_invalid_body_is_refused_and_not_counted(
    functions: Functions, database: sa.Engine, changes: dict[str, Any], pointer: str
) -> None:
    at = address()
    refused = functions.call("register", body=form(**changes), address=at)
    assert refused.status == 422
    assert [error["pointer"] for error in refused.json["errors"]] == [pointer]
    assert PASSWORD not in refused.text
    with database.connect() as connection:
        network = f"{at.removesuffix('1')}/64"
        assert connection.execute(sa.select(attempts).where(attempts.c.address == network)).all() == []


def test_lengths_count_characters_after_normalisation(functions: Functions, database: sa.Engine) -> None:
    decomposed = "é" * 12
    assert register(functions, password="é" * 11).status == 422
    answer = register(functions, password=decomposed)
    assert answer.status == 201
    with database.connect() as connection:
        stored = connection.scalar(sa.select(users.c.password).where(users.c.id == answer.json["id"]))
    assert passwords.matches(stored, "é" * 12)
    assert register(functions, password="🐐" * 128).status == 201


def test_the_eleventh_within_an_hour_from_one_network_waits(functions: Functions) -> None:
    network = address().removesuffix("1")
    taken = form()
    functions.call("register", body=taken, address=address())
    for count in range(10):
        body = taken if count % 2 else form()
        at = NOON + timedelta(minutes=count)
        answer = functions.call("register", body=body, address=f"{network}{count + 1}", now=at)
        assert answer.status == (409 if count % 2 else 201)
    before = NOON + timedelta(minutes=59, seconds=59, microseconds=999_999)
    refused = register(functions, at=f"{network}ffff", now=before)
    assert (refused.status, refused.json["code"]) == (429, "too_many_attempts")
    assert refused.headers["Retry-After"] == "1"
    assert register(functions, at=f"{network}ffff", now=NOON + timedelta(minutes=10)).headers["Retry-After"] == "3000"
    assert register(functions, now=before).status == 201, "another network is not held back"
    assert register(functions, at=f"{network}ffff", now=NOON + timedelta(hours=1)).status == 201
    refused = register(functions, at=f"{network}ffff", now=NOON + timedelta(hours=1))
    assert (refused.status, refused.headers["Retry-After"]) == (429, "60")


def test_mails_that_others_asked_for_do_not_use_up_those_of_the_new_account(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    wished = f"{name()}@example.com"
    member = members.new(password=passwords.hash_password(PASSWORD, legacy=False))
    for _ in range(4):
        body = {"email": wished.upper(), "current_password": PASSWORD}
        assert functions.call("change_email", by=member, body=body, address=address()).status == 202
    assert [mail.kind for mail in mails(database, wished)] == ["email_change"] * 3
    assert register(functions, email=wished).status == 201
    assert [mail.kind for mail in mails(database, wished)] == ["email_change"] * 3 + ["verification"]
    assert count_mail_requests(database, wished, "mail_own") == 1

"""A member gives themselves another password."""

from copy import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.accounts import passwords
from goatedvips.domain.notifications import mailed_tokens
from goatedvips.models.operations import idempotency_records
from tests.support.credentials import (
    BY_NODE,
    MOMENT,
    NEW_PASSWORD,
    NOON,
    PASSWORD,
    STORED,
    also_signed_in,
    count_attempts,
    is_live,
    log_in,
    network_address,
    pointers,
    problem,
    row,
)
from tests.support.functions import Answer, Functions, load
from tests.support.members import Member, Members


def change(
    functions: Functions,
    member: Member | None,
    current: object = PASSWORD,
    new: object = NEW_PASSWORD,
    **changes: Any,
) -> Answer:
    body = {"current_password": current, "new_password": new}
    given: dict[str, Any] = {"address": network_address(), "now": NOON} | changes
    return functions.call("change_password", by=member, body=body, **given)


@pytest.mark.parametrize("stored", [STORED, BY_NODE], ids=["argon2", "scrypt"])
def test_the_new_password_is_the_one_from_now_on(
    functions: Functions, members: Members, database: sa.Engine, stored: str
) -> None:
    member, other = members.new(password=stored), members.new(password=stored)
    answer = change(functions, member)
    assert (answer.status, answer.text) == (204, "")
    assert row(database, member).password.startswith("$argon2id$")
    assert log_in(functions, member.username, NEW_PASSWORD).status == 201
    assert log_in(functions, member.username, PASSWORD).status == 401
    assert row(database, other).password == stored
    assert problem(change(functions, member)) == (401, "invalid_credentials")


def test_the_other_sessions_end_and_this_one_stays(functions: Functions, members: Members, database: sa.Engine) -> None:
    member, other = members.new(password=STORED), members.new()
    elsewhere = also_signed_in(database, member)
    assert change(functions, member, now=datetime.now(UTC)).status == 204
    assert is_live(functions, member)
    assert not is_live(functions, elsewhere)
    assert is_live(functions, other)


def test_links_mailed_before_are_invalid_afterwards(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(password=STORED)
    with database.connect() as connection:
        reset = mailed_tokens.make_for_reset(connection, member.id, member.email, asked_at=NOON, now=NOON)
        email = mailed_tokens.make_for_change(connection, member.id, "thief@example.com", asked_at=NOON, now=NOON)
    assert change(functions, member, now=NOON + MOMENT).status == 204
    later = NOON + 2 * MOMENT
    body = {"token": reset, "password": "yet another password"}
    assert problem(functions.call("reset_password", body=body, now=later)) == (404, "token_invalid")
    assert problem(functions.call("verify_email", body={"token": email}, now=later)) == (404, "token_invalid")


def test_during_the_cut_over_passwords_are_written_in_the_legacy_format(
    functions: Functions, members: Members, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load("change_password")
    monkeypatch.setattr(module, "settings", replace(module.settings, legacy_app=True))
    member = members.new(password=STORED)
    assert change(functions, member).status == 204
    stored = row(database, member).password
    assert not stored.startswith("$")
    assert passwords.matches(stored, NEW_PASSWORD)


def test_a_wrong_password_changes_nothing_and_stays_counted(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(password=STORED)
    elsewhere = also_signed_in(database, member)
    assert problem(change(functions, member, "a wrong password")) == (401, "invalid_credentials")
    assert row(database, member).password == STORED
    assert is_live(functions, elsewhere)
    assert count_attempts(database, member.id, "log_in") == 1
    assert change(functions, member).status == 204
    assert count_attempts(database, member.id, "log_in") == 1, "the right one was taken back"


def test_a_stolen_token_guesses_no_faster_than_a_log_in(functions: Functions, members: Members) -> None:
    member, at = members.new(password=STORED), network_address()
    for count in range(10):
        if count % 2:
            body = {"login": member.username, "password": "wrong"}
            assert functions.call("log_in", body=body, address=at, now=NOON).status == 401
        else:
            assert change(functions, member, "wrong", address=at).status == 401
    refused = change(functions, member, address=at)
    assert problem(refused) == (429, "too_many_attempts")
    assert refused.headers["Retry-After"] == "900"
    assert change(functions, member).status == 204, "the owner, from elsewhere"
    quarter = NOON + timedelta(minutes=15)
    assert change(functions, member, NEW_PASSWORD, PASSWORD, address=at, now=quarter).status == 204


def test_an_idempotency_key_neither_frees_a_guess_nor_leaves_a_trace_of_the_password(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member, at = members.new(password=STORED), network_address()
    key = {"idempotency-key": "k"}
    statuses = [change(functions, member, "wrong", address=at, headers=key).status for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    assert change(functions, member, headers=key).status == 204
    with database.connect() as connection:
        records = sa.select(idempotency_records).where(idempotency_records.c.user_id == member.id)
        assert connection.execute(records).all() == []


def test_right_passwords_do_not_count(functions: Functions, members: Members) -> None:
    member, at = members.new(password=STORED), network_address()
    for count in range(12):
        passwords_now = (PASSWORD, NEW_PASSWORD)[:: -1 if count % 2 else 1]
        assert change(functions, member, *passwords_now, address=at).status == 204


def test_a_refused_new_password_is_not_counted(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new(password=STORED)
    for refused in ("1Q2w3e4r5t6y", member.username.upper(), member.email, "too short", "a" * 129, "a" * 12 + "\x00"):
        assert pointers(change(functions, member, new=refused)) == ["/new_password"]
    assert count_attempts(database, member.id, "log_in") == 0
    assert row(database, member).password == STORED


@pytest.mark.parametrize("current", ["", "\x00", "\ud800", "a" * 1001, 7, None])
def test_a_current_password_that_can_be_none_is_refused(
    functions: Functions, members: Members, current: object
) -> None:
    assert pointers(change(functions, members.new(password=STORED), current)) == ["/current_password"]


@pytest.mark.parametrize(
    ("columns", "refusal"),
    [
        ({"password": passwords.hash_password("somebody else was faster", legacy=False)}, (401, "invalid_credentials")),
        ({"suspended_at": NOON}, (403, "account_suspended")),
    ],
    ids=["changed", "suspended"],
)
def test_a_change_during_the_comparison_is_not_overwritten(
    functions: Functions,
    members: Members,
    database: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
    columns: dict[str, object],
    refusal: tuple[int, str],
) -> None:
    member = members.new(password=STORED)
    real = passwords.verify

    def verify(stored: str | None, password: str) -> None:
        real(stored, password)
        members.change(member, **columns)

    monkeypatch.setattr(passwords, "verify", verify)
    assert problem(change(functions, member)) == refusal
    assert row(database, member).password == columns.get("password", STORED)


def test_only_a_signed_in_member_is_allowed(functions: Functions, members: Members, database: sa.Engine) -> None:
    assert problem(change(functions, None)) == (401, "unauthenticated")
    ended = members.new(password=STORED)
    members.end_session(ended)
    assert problem(change(functions, ended)) == (401, "unauthenticated")
    suspended = members.new(password=STORED, suspended_at=NOON)
    assert problem(change(functions, suspended)) == (403, "account_suspended")
    assert row(database, suspended).password == STORED

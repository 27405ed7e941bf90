"""Passwords, addresses and sessions that many change at once."""

import multiprocessing
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from goatedvips import db
from goatedvips.domain.access import Caller
from goatedvips.domain.accounts import credentials, email_addresses, log_in, passwords
from goatedvips.domain.notifications import mailed_tokens
from goatedvips.domain.tickets import tickets
from goatedvips.errors import EmailTaken, InvalidCredentials, TokenInvalid, Unauthenticated
from goatedvips.models.accounts import sessions as session_rows
from goatedvips.models.accounts import users
from tests.concurrency.together import at_once, at_once_behind, locked_until_waiting
from tests.support.credentials import (
    NEW_PASSWORD,
    PASSWORD,
    STORED,
    also_signed_in,
    count_mail_requests,
    mails,
    network_address,
    row,
)
from tests.support.functions import Context, event, function_name, load
from tests.support.members import Member, Members

NOW = datetime.now(UTC)
LATER = NOW + timedelta(seconds=1)
STORED_ANEW = passwords.hash_password(NEW_PASSWORD, legacy=False)


def caller_of(member: Member) -> Caller:
    return Caller(member.id, member.session_id, "test")


def row_of(member: Member) -> sa.Select[int]:
    return sa.select(users.c.id).where(users.c.id == member.id)


def reset_token(database: sa.Engine, member: Member) -> str:
    with database.connect() as connection:
        token = mailed_tokens.make_for_reset(connection, member.id, member.email, asked_at=NOW, now=NOW)
    assert token is not None
    return token


def change_token(database: sa.Engine, member: Member, email: str) -> str:
    with database.connect() as connection:
        token = mailed_tokens.make_for_change(connection, member.id, email, asked_at=NOW, now=NOW)
    assert token is not None
    return token


def live_sessions(database: sa.Engine, member: Member) -> set[int]:
    live = sa.select(session_rows.c.id).where(session_rows.c.user_id == member.id, session_rows.c.ended_at.is_(None))
    with database.connect() as connection:
        return set(connection.scalars(live))


def test_one_reset_token_used_twenty_times_at_once_works_once(
    direct: str, members: Members, database: sa.Engine
) -> None:
    member = members.new(password=STORED)
    token = reset_token(database, member)
    works = [partial(credentials.reset_password, token=token, stored=f"{number}", now=LATER) for number in range(20)]
    results = at_once(direct, works)
    assert Counter(type(result) for result in results) == {type(None): 1, TokenInvalid: 19}, results
    assert row(database, member).password == str(results.index(None))


def test_of_two_reset_tokens_at_once_one_works(direct: str, members: Members, database: sa.Engine) -> None:
    member = members.new(password=STORED)
    works = [
        partial(credentials.reset_password, token=reset_token(database, member), stored=stored, now=LATER)
        for stored in ("one", "two")
    ]
    results = at_once_behind(database, row_of(member), direct, works)
    assert Counter(type(result) for result in results) == {type(None): 1, TokenInvalid: 1}, results


def test_of_a_reset_and_a_change_of_the_address_at_once_one_works(
    direct: str, members: Members, database: sa.Engine
) -> None:
    member = members.new(password=STORED)
    door = change_token(database, member, f"thief-{member.email}")
    works = [
        partial(credentials.reset_password, token=reset_token(database, member), stored=STORED_ANEW, now=LATER),
        partial(email_addresses.verify, token=door, verified_email_required=False, now=LATER),
    ]
    results = at_once_behind(database, row_of(member), direct, works)
    assert Counter(type(result) for result in results) == {type(None): 1, TokenInvalid: 1}, results
    after = row(database, member)
    assert (after.password == STORED_ANEW) == (after.email == member.email)


def test_one_of_two_members_who_take_one_address_at_once_gets_it(
    direct: str, members: Members, database: sa.Engine
) -> None:
    ones = [members.new() for _ in range(2)]
    email = f"Shared-{ones[0].email}"
    works = [
        partial(
            email_addresses.verify,
            token=change_token(database, one, spelling),
            verified_email_required=False,
            now=LATER,
        )
        for one, spelling in zip(ones, (email, email.upper()), strict=True)
    ]
    results = at_once(direct, works)
    assert Counter(type(result) for result in results) == {type(None): 1, EmailTaken: 1}, results
    winner, loser = (ones[results.index(None)], ones[1 - results.index(None)])
    assert row(database, winner).email_key == email.lower()
    assert row(database, loser).email == loser.email


def test_of_two_changes_of_one_member_at_once_one_works(direct: str, members: Members, database: sa.Engine) -> None:
    member = members.new()
    emails = [f"{number}-{member.email}" for number in range(2)]
    works = [
        partial(
            email_addresses.verify,
            token=change_token(database, member, email),
            verified_email_required=False,
            now=LATER,
        )
        for email in emails
    ]
    results = at_once_behind(database, row_of(member), direct, works)
    assert Counter(type(result) for result in results) == {type(None): 1, TokenInvalid: 1}, results
    assert row(database, member).email == emails[results.index(None)]


@pytest.mark.parametrize("order", [1, -1], ids=["the log-in first", "the change first"])
@pytest.mark.parametrize("how", ["changed", "reset"])
def test_no_session_is_left_that_the_old_password_opened_meanwhile(
    direct: str, members: Members, database: sa.Engine, how: str, order: int
) -> None:
    member = members.new(password=STORED)
    attempt = log_in.LogInAttempt(0, member.id, STORED)

    logging_in = partial(log_in.open_session, attempt=attempt, password=PASSWORD, stored=STORED, now=NOW)
    change = (
        partial(credentials.reset_password, token=reset_token(database, member), stored=STORED_ANEW, now=LATER)
        if how == "reset"
        else partial(
            credentials.change_password, caller=caller_of(member), attempt=attempt, stored=STORED_ANEW, now=LATER
        )
    )
    works: list[Callable[[Connection], object]] = [logging_in, change]
    results = at_once_behind(database, row_of(member), direct, works[::order])[::order]
    assert results[1] is None
    assert isinstance(results[0], log_in.NewSession | InvalidCredentials)
    assert live_sessions(database, member) == ({member.session_id} if how == "changed" else set())


def test_of_two_changes_of_a_password_at_once_one_works(direct: str, members: Members, database: sa.Engine) -> None:
    member = members.new(password=STORED)
    attempt = log_in.LogInAttempt(0, member.id, STORED)
    works = [
        partial(credentials.change_password, caller=caller_of(member), attempt=attempt, stored=stored, now=LATER)
        for stored in ("one", "two")
    ]
    results = at_once_behind(database, row_of(member), direct, works)
    assert Counter(type(result) for result in results) == {type(None): 1, InvalidCredentials: 1}, results


def test_a_reset_while_its_sessions_act_leaves_none_that_can(
    direct: str, members: Members, database: sa.Engine
) -> None:
    member = members.new(password=STORED)
    signed_in = [member, *(also_signed_in(database, member) for _ in range(9))]
    acts = [
        partial(tickets.open_ticket, caller=caller_of(one), subject="x", description="x", priority="low", now=NOW)
        for one in signed_in
    ]
    reset = partial(credentials.reset_password, token=reset_token(database, member), stored=STORED_ANEW, now=LATER)
    works: list[Callable[[Connection], object]] = [*acts, reset]
    results = at_once(direct, works)
    assert results.pop() is None
    assert {type(result) for result in results} <= {tickets.Ticket, Unauthenticated}, results
    assert {type(result) for result in at_once(direct, acts)} == {Unauthenticated}


def test_twenty_concurrent_requests_mail_three_times_for_each_reason(
    direct: str, members: Members, database: sa.Engine
) -> None:
    """The limit holds whoever asks, and in whatever case the address is written."""
    member = members.new(email_verified=False)
    email, at = member.email, network_address()
    works = [
        partial(email_addresses.request_verification, caller=caller_of(member), client_network=at, now=NOW),
        partial(credentials.request_reset, email=email, client_network=at, now=NOW),
        partial(credentials.request_reset, email=email.upper(), client_network=at, now=NOW),
        partial(credentials.request_reset, email=email.title(), client_network=network_address(), now=NOW),
    ] * 5
    assert set(at_once_behind(database, row_of(member), direct, works)) == {None}
    assert Counter(mail.kind for mail in mails(database, email)) == {"verification": 3, "password_reset": 3}
    assert count_mail_requests(database, email) == 6


def test_twenty_wishes_for_a_new_address_at_once_mail_three_times(
    direct: str, members: Members, database: sa.Engine
) -> None:
    member = members.new(password=STORED)
    email = f"new-{member.email}"
    attempt = log_in.LogInAttempt(0, member.id, STORED)
    wish = partial(
        email_addresses.request_change,
        caller=caller_of(member),
        attempt=attempt,
        email=email,
        client_network=network_address(),
        now=NOW,
    )
    assert set(at_once_behind(database, row_of(member), direct, [wish] * 20)) == {None}
    assert len(mails(database, email)) == 3


PROCESSES, EACH = 25, 20


def test_five_hundred_guesses_at_once_compare_ten_passwords(
    patient: str, members: Members, database: sa.Engine, door: sa.Select[Any]
) -> None:
    """Through the handlers of log-in and of a change of the password, each in environments of its own."""
    member, at = members.new(password=STORED), network_address()
    by_name = [
        event("log_in", body={"login": login, "password": "wrong"}, address=at)
        for login in (member.username, member.email, member.username.upper())
    ]
    body = {"current_password": "wrong", "new_password": NEW_PASSWORD}
    by_token = event("change_password", by=member, body=body, address=at)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.concurrency.preloaded"])
    ready, results = context.Barrier(PROCESSES), context.SimpleQueue()
    processes = [
        context.Process(
            target=_guess,
            args=(
                patient,
                *(("change_password", by_token) if number % 4 == 3 else ("log_in", by_name[number % 4])),
                ready,
                results,
            ),
        )
        for number in range(PROCESSES)
    ]
    with locked_until_waiting(database, door, PROCESSES):
        for process in processes:
            process.start()
    counts: list[tuple[int, list[int]]] = [results.get() for _ in processes]
    for process in processes:
        process.join(30)
    statuses = Counter(status for _, answered in counts for status in answered)
    assert statuses == {401: 10, 429: 490}
    assert sum(compared for compared, _ in counts) == 10


def _guess(url: str, name: str, given: dict[str, Any], ready: Any, results: Any) -> None:
    engine = db.make_engine(url)
    setattr(db, "engine", lambda: engine)  # noqa: B010 - as if this process had read its own settings
    compared, real = [], passwords.matches

    def matches(stored: str | None, password: str) -> bool:
        compared.append(stored)
        return real(stored, password)

    setattr(passwords, "matches", matches)  # noqa: B010
    handler = load(name).handler
    with db.engine().connect():
        pass
    ready.wait(60)
    answers = [handler(given, Context(function_name(name), "test")) for _ in range(EACH)]
    results.put((len(compared), [answer["statusCode"] for answer in answers]))

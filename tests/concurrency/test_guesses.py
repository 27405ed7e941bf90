"""However many guess at once, no more than the limit get to compare; and one name makes one account."""

import secrets
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.accounts import authentication, email_addresses, log_in, registration
from goatedvips.domain.notifications.mailed_tokens import TOKEN_LIFETIME
from goatedvips.domain.tokens import hash_token
from goatedvips.errors import EmailTaken, TooManyAttempts, UsernameTaken
from goatedvips.light_connection import Database
from goatedvips.models.accounts import mailed_tokens, users
from goatedvips.models.notifications import outbox
from goatedvips.models.wheel import wheel_seeds
from goatedvips.postgres_server import Server
from tests.concurrency.together import at_once, at_once_behind
from tests.support.members import Members

NOW = datetime.now(UTC)


@pytest.fixture
def address() -> str:
    return f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"


def test_thirty_guesses_at_once_compare_ten_passwords(
    patient: str, members: Members, database: sa.Engine, door: sa.Select[Any], address: str
) -> None:
    member = members.new()
    logins = [member.username, member.email, member.username.upper()] * 10
    works = [
        partial(
            log_in.begin_attempt,
            login=login,
            bare_login=login,
            ascii_login=login,
            client_network=address,
            now=NOW,
        )
        for login in logins
    ]
    results = at_once_behind(database, door, patient, works)
    assert Counter(type(result) for result in results) == {log_in.LogInAttempt: 10, TooManyAttempts: 20}, results


def test_sixty_guesses_at_once_over_all_accounts_compare_fifty(
    patient: str, members: Members, database: sa.Engine, door: sa.Select[Any], address: str
) -> None:
    logins = [members.new().username for _ in range(6)] + [secrets.token_hex(8) for _ in range(6)]
    works = [
        partial(
            log_in.begin_attempt,
            login=login,
            bare_login=login,
            ascii_login=login,
            client_network=address,
            now=NOW,
        )
        for login in logins * 5
    ]
    results = at_once_behind(database, door, patient, works)
    assert Counter(type(result) for result in results) == {log_in.LogInAttempt: 50, TooManyAttempts: 10}, results


def test_thirty_registrations_at_once_count_ten(
    patient: str, database: sa.Engine, door: sa.Select[Any], address: str
) -> None:
    works = [partial(registration.record_attempt, client_network=address, now=NOW)] * 30
    results = at_once_behind(database, door, patient, works)
    assert Counter(type(result) for result in results) == {type(None): 10, TooManyAttempts: 20}, results


@pytest.mark.parametrize(("shared", "refusal"), [("username", UsernameTaken), ("email", EmailTaken)])
def test_thirty_registrations_of_one_name_at_once_make_one_account(
    direct: str, database: sa.Engine, shared: str, refusal: type[Exception]
) -> None:
    tail = secrets.token_hex(6)
    names = [("GOAT" if number % 2 else "goat") + tail for number in range(30)]
    given = [
        (name, f"{number}{name}@example.com") if shared == "username" else (f"{name}-{number}", f"{name}@example.com")
        for number, name in enumerate(names)
    ]
    results = at_once(
        direct,
        [
            partial(registration.register, username=name, email=email, stored="x", client_network="10.0.0.1", now=NOW)
            for name, email in given
        ],
    )
    assert Counter(type(result) for result in results) == {registration.Account: 1, refusal: 29}, results
    (account,) = (result for result in results if isinstance(result, registration.Account))
    with database.connect() as connection:
        ids = connection.scalars(sa.select(users.c.id).where(sa.func.lower(users.c[shared]).startswith(f"goat{tail}")))
        assert ids.all() == [account.id]
        for table, rows in ((wheel_seeds, 2), (outbox, 1)):
            count = sa.select(sa.func.count()).where(table.c.user_id == account.id)
            assert connection.scalar(count) == rows


def test_one_token_used_twenty_times_at_once_works_once(direct: str, members: Members, database: sa.Engine) -> None:
    member = members.new(email_verified=False)
    with database.connect() as connection:
        connection.execute(
            sa.insert(mailed_tokens).values(
                purpose="email_verification",
                token_hash=hash_token(member.username),
                address=member.email,
                user_id=member.id,
                created_at=NOW,
                expires_at=NOW + TOKEN_LIFETIME,
            )
        )
    results = at_once(
        direct, [partial(email_addresses.verify, token=member.username, verified_email_required=False, now=NOW)] * 20
    )
    assert results.count(None) == 1, results


def test_forty_concurrent_requests_of_one_session_are_all_authenticated(direct: str, members: Members) -> None:
    member = members.new()
    start = threading.Barrier(40)

    def authenticate(_: int) -> authentication.Principal | None:
        database = Database(Server(direct, iam=False, ca_file="", timeout=10.0))
        start.wait(30)
        try:
            return authentication.authenticate(database.read, database.try_write, member.token, now=NOW)
        finally:
            database.close()

    with ThreadPoolExecutor(40) as pool:
        assert list(pool.map(authenticate, range(40))) == [member.caller] * 40

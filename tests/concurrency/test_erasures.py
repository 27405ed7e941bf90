"""An erasure and concurrent requests for the same member: one commits entirely before the other."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from goatedvips.domain.access import Caller
from goatedvips.domain.accounts import (
    credentials,
    email_addresses,
    exclusions,
    log_in,
    profiles,
    registration,
    sessions,
)
from goatedvips.domain.accounts.log_in import LogInAttempt
from goatedvips.domain.notifications import mailed_tokens
from goatedvips.domain.notifications.preferences import own
from goatedvips.domain.privacy import erasure, export
from goatedvips.domain.tickets import tickets
from goatedvips.domain.wheel import spins
from goatedvips.errors import InvalidCredentials, LastStaff, Unauthenticated
from goatedvips.models.accounts import mailed_tokens as mailed_token_rows
from goatedvips.models.accounts import users
from goatedvips.models.every import metadata
from goatedvips.models.notifications import outbox
from goatedvips.models.tickets import support_tickets
from tests.concurrency.together import at_once, at_once_behind
from tests.support.members import Member, Members

NOW = datetime.now(UTC)
SEED = f"goat-lane-{secrets.token_hex(6)}"
WORDS = SEED.replace("-", " ")


def caller(member: Member) -> Caller:
    return Caller(member.id, member.session_id, "test")


@pytest.fixture
def erasing(direct: str) -> Callable[[Member], Callable[[Connection], None]]:
    """Count an attempt with the right password, and return the function that erases the member."""

    def prove(member: Member) -> Callable[[Connection], None]:
        (attempt,) = at_once(
            direct, [partial(credentials.begin_attempt, caller=caller(member), client_network="203.0.113.9", now=NOW)]
        )
        assert isinstance(attempt, LogInAttempt), attempt
        return partial(erasure.erase, caller=caller(member), attempt=attempt, now=NOW)

    return prove


def no_staff(database: sa.Engine) -> None:
    with database.connect() as connection:
        connection.execute(sa.update(users).values(is_admin=False))


def staff_left(database: sa.Engine) -> list[int]:
    with database.connect() as connection:
        return list(connection.scalars(sa.select(users.c.id).where(users.c.is_admin)))


def test_one_of_two_staff_erased_at_once_stays(
    direct: str, members: Members, database: sa.Engine, erasing: Callable[[Member], Callable[[Connection], None]]
) -> None:
    no_staff(database)
    both = [members.staff(), members.staff()]
    works = [erasing(member) for member in both]
    row = sa.select(users.c.id).where(users.c.id == both[0].id)
    results = at_once_behind(database, row, direct, works)
    assert [type(result) for result in results if result is not None] == [LastStaff], results
    (stayed,) = (member.id for member, result in zip(both, results, strict=True) if result is not None)
    assert staff_left(database) == [stayed]


def test_one_of_six_staff_erased_at_once_stays(
    direct: str, members: Members, database: sa.Engine, erasing: Callable[[Member], Callable[[Connection], None]]
) -> None:
    no_staff(database)
    results = at_once(direct, [erasing(members.staff()) for _ in range(6)])
    assert [type(result) for result in results if result is not None] == [LastStaff], results
    assert len(staff_left(database)) == 1


def test_one_member_erased_ten_times_at_once_is_erased_once(
    direct: str, members: Members, database: sa.Engine, erasing: Callable[[Member], Callable[[Connection], None]]
) -> None:
    members.staff()
    member = members.new(uid=f"uid-{datetime.now(UTC).timestamp()}")
    results = at_once(direct, [erasing(member) for _ in range(10)])
    assert results.count(None) == 1, results
    assert {type(result) for result in results if result is not None} <= {Unauthenticated, InvalidCredentials}


@pytest.mark.parametrize(
    "acting",
    [
        partial(tickets.open_ticket, subject=WORDS, description=WORDS, priority="low"),
        partial(spins.spin, client_seed=SEED),
        partial(profiles.change, given={"bio": WORDS}),
        partial(exclusions.exclude, days=5),
        partial(own.change, given={"push_notifications": False}),
    ],
    ids=["ticket", "spin", "profile", "exclusion", "preferences"],
)
def test_a_request_that_waits_for_an_erasure_is_refused(
    direct: str,
    members: Members,
    database: sa.Engine,
    erasing: Callable[[Member], Callable[[Connection], None]],
    acting: Callable[..., object],
) -> None:
    """Requests begin while the erasure has locked the member's row; they must write nothing after it commits."""
    members.staff()
    member = members.new()
    erase = erasing(member)

    def erase_slowly(connection: Connection) -> None:
        erase(connection)
        connection.execute(sa.select(sa.func.pg_sleep(0.8)))  # the other requests begin meanwhile

    def act_meanwhile(connection: Connection) -> object:
        connection.execute(sa.select(sa.func.pg_sleep(0.3)))
        return acting(connection, caller=caller(member), now=NOW)

    results = at_once(direct, [erase_slowly, *[act_meanwhile] * 5])
    assert results[0] is None, results
    assert {type(result) for result in results[1:]} == {Unauthenticated}, results
    assert remains(database, member) == []


def remains(database: sa.Engine, member: Member) -> list[str]:
    """Return the columns that still contain the member's texts."""
    with database.connect() as connection:
        return [
            f"{table.name}.{column.name}"
            for table in metadata.tables.values()
            for column in table.columns
            if isinstance(column.type, sa.Text | sa.JSON)
            and connection.execute(
                sa.select(column).where(
                    sa.or_(
                        *(
                            sa.cast(column, sa.Text).contains(value, autoescape=True)
                            for value in (WORDS, SEED, member.username)
                        )
                    )
                )
            ).first()
        ]


def test_tickets_opened_during_an_erasure_leave_no_text(
    direct: str, members: Members, database: sa.Engine, erasing: Callable[[Member], Callable[[Connection], None]]
) -> None:
    members.staff()
    member = members.new()
    opening = partial(
        tickets.open_ticket, caller=caller(member), subject=WORDS, description=WORDS, priority="low", now=NOW
    )
    results = at_once(direct, [opening] * 15 + [erasing(member)] + [opening] * 15)
    assert results[15] is None, results
    opened = [result for result in results if isinstance(result, tickets.Ticket)]
    refused = [result for result in results if isinstance(result, Unauthenticated)]
    assert len(opened) + len(refused) == 30, results
    assert remains(database, member) == []
    with database.connect() as connection:
        count = sa.select(sa.func.count()).where(support_tickets.c.user_id == member.id)
        assert connection.scalar(count) == len(opened)


def test_an_exclusion_during_an_erasure_is_remembered_or_refused(
    direct: str, members: Members, database: sa.Engine, erasing: Callable[[Member], Callable[[Connection], None]]
) -> None:
    members.staff()
    member = members.new()
    until = NOW + timedelta(days=5)
    works: list[Callable[[Connection], object]] = [
        partial(exclusions.exclude, caller=caller(member), days=5, now=NOW),
        erasing(member),
    ]
    excluded, erased = at_once(direct, works)
    assert erased is None, erased
    with database.connect() as connection:
        excluded_until = connection.execute(
            sa.text("SELECT excluded_until FROM erased_identities WHERE identity = identity_hash('email', :email)"),
            {"email": member.email},
        ).scalar()
    if isinstance(excluded, exclusions.Exclusion):
        assert excluded_until == until.replace(tzinfo=None)
    else:
        assert isinstance(excluded, Unauthenticated), excluded
        assert excluded_until is None


def test_a_session_opened_during_an_erasure_is_ended(
    direct: str, members: Members, erasing: Callable[[Member], Callable[[Connection], None]]
) -> None:
    members.staff()
    member = members.new()
    attempt = LogInAttempt(0, member.id, "unusable")
    works: list[Callable[[Connection], object]] = [
        partial(log_in.open_session, attempt=attempt, password="x", stored="unusable", now=NOW)
    ] * 10
    results = at_once(direct, [*works[:5], erasing(member), *works[5:]])
    assert results[5] is None, results
    tokens = [result.token for result in results if isinstance(result, log_in.NewSession)]
    principals = [at_once(direct, [partial(sessions.find_principal, token=token, now=NOW)]) for token in tokens]
    assert principals == [[None]] * len(tokens)


def test_an_export_during_an_erasure_is_complete_or_refused(
    direct: str, members: Members, erasing: Callable[[Member], Callable[[Connection], None]]
) -> None:
    members.staff()
    member = members.new()

    def exported(connection: Connection) -> str:
        ((account,),) = [rows for _, rows in list(export.everything(connection, caller(member), now=NOW))[:1]]
        return str(account["username"])

    results = at_once(direct, [*[exported] * 5, erasing(member), *[exported] * 5])
    assert results.pop(5) is None
    assert {result if isinstance(result, str) else type(result) for result in results} <= {
        member.username,
        Unauthenticated,
    }


class Meanwhile:
    """Runs one function after the last statement of another one and before its commit."""

    def __init__(self) -> None:
        self._done = Event()

    def lingering(self, work: Callable[[Connection], None]) -> Callable[[Connection], None]:
        """Return a function that does the work and commits 0.6 s later: concurrent statements wait for its locks."""

        def run(connection: Connection) -> None:
            work(connection)
            self._done.set()
            connection.execute(sa.select(sa.func.pg_sleep(0.6)))

        return run

    def acting[T](self, work: Callable[[Connection], T]) -> Callable[[Connection], T]:
        """Return a function that does the work between the end of the lingering one and its commit."""

        def run(connection: Connection) -> T:
            assert self._done.wait(30)
            return work(connection)

        return run


@pytest.fixture
def meanwhile() -> Meanwhile:
    return Meanwhile()


def exclusions_of(database: sa.Engine, email: str) -> list[bool]:
    with database.connect() as connection:
        return list(connection.scalars(sa.select(users.c.excluded_permanently).where(users.c.email == email)))


def test_an_account_registered_with_the_e_mail_during_the_erasure_is_excluded(
    direct: str,
    members: Members,
    database: sa.Engine,
    erasing: Callable[[Member], Callable[[Connection], None]],
    meanwhile: Meanwhile,
) -> None:
    members.staff()
    member = members.new(excluded_permanently=True)
    form: dict[str, Any] = {
        "username": f"kid-{secrets.token_hex(6)}",
        "email": member.email,
        "stored": "x",
        "client_network": "10.0.0.1",
    }
    registering = partial(registration.register, **form, now=NOW)
    erased, account = at_once(direct, [meanwhile.lingering(erasing(member)), meanwhile.acting(registering)])
    assert (erased, type(account)) == (None, registration.Account)
    assert exclusions_of(database, member.email) == [True]


def test_a_member_who_takes_the_e_mail_during_the_erasure_is_excluded(
    direct: str,
    members: Members,
    database: sa.Engine,
    erasing: Callable[[Member], Callable[[Connection], None]],
    meanwhile: Meanwhile,
) -> None:
    members.staff()
    member, other = members.new(excluded_permanently=True), members.new()
    change: dict[str, Any] = {"user_id": other.id, "email": member.email, "asked_at": NOW, "now": NOW}
    (token,) = at_once(direct, [partial(mailed_tokens.make_for_change, **change)])
    assert isinstance(token, str), token
    taking = partial(email_addresses.verify, token=token, verified_email_required=False, now=NOW)
    assert at_once(direct, [meanwhile.lingering(erasing(member)), meanwhile.acting(taking)]) == [None, None]
    assert exclusions_of(database, member.email) == [True]


def test_no_mail_is_composed_or_queued_during_the_erasure_of_its_member(
    direct: str,
    members: Members,
    database: sa.Engine,
    erasing: Callable[[Member], Callable[[Connection], None]],
    meanwhile: Meanwhile,
) -> None:
    members.staff()
    member = members.new()
    who: dict[str, Any] = {"user_id": member.id, "email": member.email, "asked_at": NOW, "now": NOW}
    works: list[Callable[[Connection], object]] = [
        meanwhile.lingering(erasing(member)),
        meanwhile.acting(partial(mailed_tokens.make_for_reset, **who)),
        meanwhile.acting(partial(mailed_tokens.make_for_change, **who)),
        meanwhile.acting(partial(credentials.request_reset, email=member.email, client_network="10.0.0.1", now=NOW)),
    ]
    assert at_once(direct, works) == [None] * 4
    with database.connect() as connection:
        for table in (mailed_token_rows, outbox):
            assert connection.execute(sa.select(table).where(table.c.address == member.email)).all() == [], table

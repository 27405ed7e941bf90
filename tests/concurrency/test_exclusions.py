"""Of concurrent exclusions the longest remains, and after the answer to an exclusion no play of the member commits."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips import db
from goatedvips.domain import idempotency
from goatedvips.domain.access import Caller
from goatedvips.domain.accounts import email_addresses, exclusions
from goatedvips.domain.accounts.exclusions import Exclusion
from goatedvips.domain.codes import claims
from goatedvips.domain.erased_identities import remembered_exclusion
from goatedvips.domain.notifications import mailed_tokens
from goatedvips.domain.races import participation
from goatedvips.domain.wheel import spins
from goatedvips.errors import ExclusionShorter, SelfExcluded
from goatedvips.models.accounts import users
from goatedvips.models.wheel import wheel_spins
from tests.concurrency.together import at_once_behind
from tests.support.codes import Codes
from tests.support.members import Member, Members
from tests.support.races import Races
from tests.support.rows import insert_row

NOW = datetime.now(UTC)

type Play = Callable[[sa.Connection], object]


def caller(member: Member) -> Caller:
    return Caller(member.id, member.session_id, "test")


def read_exclusion(database: sa.Engine, member: Member) -> tuple[datetime | None, bool]:
    row = sa.select(users.c.excluded_until, users.c.excluded_permanently).where(users.c.id == member.id)
    with database.connect() as connection:
        until, permanently = connection.execute(row).one()
    return until, permanently


@pytest.mark.parametrize("for_good", [False, True])
def test_the_longest_of_twenty_concurrent_exclusions_remains(
    direct: str, members: Members, database: sa.Engine, for_good: bool
) -> None:
    member, days = members.new(), [*range(1, 20), None if for_good else 20]
    works = [partial(exclusions.exclude, caller=caller(member), days=count, now=NOW) for count in days]
    row = sa.select(users.c.id).where(users.c.id == member.id)
    results = at_once_behind(database, row, direct, works)
    assert {type(result) for result in results} <= {Exclusion, ExclusionShorter}, results
    assert isinstance(results[-1], Exclusion)
    assert read_exclusion(database, member) == ((None, True) if for_good else (NOW + timedelta(days=20), False))


def test_an_exclusion_is_not_lost_while_an_older_one_is_ended(
    direct: str, members: Members, database: sa.Engine
) -> None:
    row_of = sa.select(users.c.id)
    for _ in range(5):
        member = members.new(seeds=False, excluded_until=NOW - timedelta(days=1))
        works: list[Callable[[sa.Connection], Exclusion | None]] = [
            partial(exclusions.end, caller=caller(member), now=NOW),
            partial(exclusions.exclude, caller=caller(member), days=7, now=NOW),
        ]
        at_once_behind(database, row_of.where(users.c.id == member.id), direct, works)
        assert read_exclusion(database, member) == (NOW + timedelta(days=7), False)


def test_ten_exclusions_with_different_idempotency_keys_do_not_deadlock(
    direct: str, members: Members, database: sa.Engine
) -> None:
    """The record of a key references the member: each transaction has FOR KEY SHARE on the row that it updates."""
    member = members.new()

    def keyed(connection: sa.Connection, key: str) -> Exclusion:
        idempotency.claim(connection, caller(member), "POST /v1/me/exclusion", key, b"{}", staff=False, now=NOW)
        return exclusions.exclude(connection.execution_options(enclosed=True), caller(member), 7, now=NOW)

    row = sa.select(users.c.id).where(users.c.id == member.id)
    works = [partial(keyed, key=str(number)) for number in range(10)]
    results = at_once_behind(database, row, direct, works)
    assert Counter(type(result) for result in results) == {Exclusion: 10}, results


@pytest.mark.parametrize("is_change_first", [True, False], ids=["change first", "exclusion first"])
def test_a_longer_exclusion_and_a_change_of_the_address_at_once_leave_the_old_one_with_the_longer(
    direct: str, members: Members, database: sa.Engine, is_change_first: bool
) -> None:
    """The second of them waits for the member's row, and its statement began before the first one committed."""
    member = members.new(seeds=False, excluded_until=NOW + timedelta(days=1))
    with database.begin() as connection:
        email = f"new-{member.email}"
        token = mailed_tokens.make_for_change(connection, member.id, email, asked_at=NOW, now=NOW)
    assert token is not None
    works: list[Callable[[sa.Connection], object]] = [
        partial(email_addresses.verify, token=token, verified_email_required=False, now=NOW),
        partial(exclusions.exclude, caller=caller(member), days=None, now=NOW),
    ]
    first, second = works if is_change_first else works[::-1]
    engines = [db.make_engine(direct) for _ in works]

    def run_second() -> object:
        with engines[1].begin() as connection:
            return second(connection)

    with engines[0].connect() as connection, ThreadPoolExecutor(1) as pool:
        first(connection.execution_options(enclosed=True))  # the test commits it
        running = pool.submit(run_second)
        assert not _has_ended(running), "it must wait for the lock"
        connection.commit()
        running.result(10)
    for engine in engines:
        engine.dispose()
    with database.connect() as connection:
        remembered = connection.execute(remembered_exclusion("email", sa.literal(member.email))).one()
    assert remembered == (None, True)
    assert read_exclusion(database, member) == (None, True)


def plays(database: sa.Engine, member: Member) -> dict[str, Play]:
    """A play of each kind, which would succeed."""
    code = Codes(database).new().code
    race_id = Races(database).new(start_date=NOW, end_date=NOW + timedelta(days=1))
    return {
        "spin": partial(spins.spin, caller=caller(member), client_seed=None, now=NOW),
        "claim": partial(claims.claim, caller=caller(member), code=code, client_network="test", now=NOW),
        "join": partial(participation.join, caller=caller(member), race_id=race_id, now=NOW),
    }


@pytest.mark.parametrize("kind", ["spin", "claim", "join"])
def test_a_play_that_waits_for_an_exclusion_is_refused(
    direct: str, members: Members, database: sa.Engine, kind: str
) -> None:
    member = members.new()
    play = plays(database, member)[kind]
    engine, begun = db.make_engine(direct), threading.Event()

    def run() -> object:
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT 1"))
            begun.set()
            return play(connection)

    with database.connect() as holder, ThreadPoolExecutor(1) as pool:
        holder.execution_options(isolation_level="READ COMMITTED")
        exclusions.exclude(holder, caller(member), 1, now=NOW)
        playing = pool.submit(run)
        assert begun.wait(10)
        assert not _has_ended(playing), "it must wait for the lock"
        holder.commit()
        with pytest.raises(SelfExcluded):
            playing.result(10)
    engine.dispose()


@pytest.mark.parametrize("kind", ["spin", "claim", "join"])
def test_an_exclusion_waits_for_a_play_that_has_passed_its_checks(
    direct: str, members: Members, database: sa.Engine, kind: str
) -> None:
    member = members.new()
    play = plays(database, member)[kind]
    player, excluder = db.make_engine(direct), db.make_engine(direct)

    def exclude() -> Exclusion:
        with excluder.begin() as connection:
            return exclusions.exclude(connection, caller(member), 1, now=NOW)

    with player.connect() as connection, ThreadPoolExecutor(1) as pool:
        connection = connection.execution_options(enclosed=True)  # noqa: PLW2901 - the test commits it
        play(connection)
        excluding = pool.submit(exclude)
        assert not _has_ended(excluding), "it must wait for the lock"
        connection.commit()
        assert excluding.result(10).excluded_until == NOW + timedelta(days=1)
        with pytest.raises(SelfExcluded):
            play(connection)
    for engine in (player, excluder):
        engine.dispose()


def test_a_claim_of_one_s_own_win_waits_for_an_exclusion_and_succeeds(
    direct: str, members: Members, codes: Codes, database: sa.Engine
) -> None:
    """The right to play is checked again on the updated row; a win does not need it."""
    member = members.new()
    spin_id = insert_row(database, wheel_spins, user_id=member.id, segment_index=0)
    won = codes.new(user_id=member.id, spin_id=spin_id, max_claims=1).code
    engine, begun = db.make_engine(direct), threading.Event()

    def run() -> claims.Claim:
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT 1"))
            begun.set()
            return claims.claim(connection, caller(member), won, client_network="test", now=NOW)

    with database.connect() as holder, ThreadPoolExecutor(1) as pool:
        holder.execution_options(isolation_level="READ COMMITTED")
        exclusions.exclude(holder, caller(member), 1, now=NOW)
        claiming = pool.submit(run)
        assert begun.wait(10)
        assert not _has_ended(claiming), "it must wait for the lock"
        holder.commit()
        assert claiming.result(10).created
    engine.dispose()


def _has_ended(future: Future[Any]) -> bool:
    try:
        future.result(0.3)
    except TimeoutError:
        return False
    return True

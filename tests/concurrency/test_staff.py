"""There is always one of the staff left, whoever takes whose rights away at once."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.access import Caller
from goatedvips.domain.accounts import log_in
from goatedvips.domain.members import changes
from goatedvips.domain.members.changes import Change, ChangedMember
from goatedvips.domain.operations import retention
from goatedvips.errors import AccountSuspended, Forbidden
from goatedvips.models.accounts import attempts, users
from goatedvips.models.accounts import sessions as session_rows
from goatedvips.models.operations import audit_log
from tests.concurrency.together import at_once, at_once_behind
from tests.support.members import Member, Members

NOW = datetime.now(UTC)
DEMOTION, SUSPENSION = Change(is_admin=False), Change(suspended=True, reason="Out")
TURNS = 5  # what goes wrong in a race need not at once


@pytest.fixture(autouse=True)
def _no_other_staff(database: sa.Engine) -> Iterator[None]:
    with database.connect() as connection:
        demoted = sa.update(users).where(users.c.is_admin).values(is_admin=False).returning(users.c.id)
        ids = connection.scalars(demoted).all()
        yield
        connection.execute(sa.update(users).where(users.c.id.in_(ids)).values(is_admin=True))


def work(by: Member, member: Member, change: Change) -> Callable[[sa.Connection], ChangedMember]:
    caller = Caller(by.id, by.session_id, "test")
    return partial(changes.change, caller=caller, member_id=member.id, wanted=change, now=NOW)


def staff_left(database: sa.Engine, among: list[Member]) -> set[int]:
    ids = [member.id for member in among]
    with database.connect() as connection:
        wanted = sa.select(users.c.id).where(users.c.id.in_(ids), users.c.is_admin, users.c.suspended_at.is_(None))
        return set(connection.scalars(wanted))


def outcome(results: list[Any]) -> Counter[type]:
    return Counter(type(result) for result in results)


@pytest.mark.parametrize("change", [DEMOTION, SUSPENSION], ids=["demotion", "suspension"])
@pytest.mark.parametrize("first", [0, 1])
def test_one_of_two_staff_who_revoke_each_other_s_rights_stays(
    direct: str, members: Members, database: sa.Engine, change: Change, first: int
) -> None:
    refusal = Forbidden if change is DEMOTION else AccountSuspended
    pair = [members.staff(), members.staff()]
    works = [work(pair[0], pair[1], change), work(pair[1], pair[0], change)]
    locked_row = sa.select(users.c.id).where(users.c.id == pair[first].id)
    results = at_once_behind(database, locked_row, direct, works)
    assert outcome(results) == {ChangedMember: 1, refusal: 1}, results
    (changed,) = (result for result in results if isinstance(result, ChangedMember))
    assert staff_left(database, pair) == {member.id for member in pair} - {changed.id}
    with database.connect() as connection:
        recorded = sa.select(audit_log.c.subject_id).where(audit_log.c.staff_id.in_([member.id for member in pair]))
        assert connection.scalars(recorded).all() == [changed.id]


@pytest.mark.parametrize("size", [3, 8])
@pytest.mark.parametrize("change", [DEMOTION, SUSPENSION], ids=["demotion", "suspension"])
def test_in_a_ring_of_staff_at_least_one_stays(
    direct: str, members: Members, database: sa.Engine, size: int, change: Change
) -> None:
    for turn in range(TURNS):
        ring = [members.staff() for _ in range(size)]
        others = ring[1:] + ring[:1]
        pairs = list(zip(ring, others, strict=True) if turn % 2 else zip(others, ring, strict=True))
        results = at_once(direct, [work(by, member, change) for by, member in pairs])
        left = staff_left(database, ring)
        assert left
        done = [result.id for result in results if isinstance(result, ChangedMember)]
        assert left == {member.id for member in ring} - set(done)
        refused = [result for result in results if not isinstance(result, ChangedMember)]
        assert all(isinstance(result, Forbidden | AccountSuspended) for result in refused), results


def test_twenty_concurrent_demotions_of_one_member_happen_once(
    direct: str, members: Members, database: sa.Engine
) -> None:
    staff, demoted = [members.staff() for _ in range(20)], members.staff()
    locked_row = sa.select(users.c.id).where(users.c.id == demoted.id)
    results = at_once_behind(database, locked_row, direct, [work(by, demoted, DEMOTION) for by in staff])
    assert outcome(results) == {ChangedMember: 20}, results
    with database.connect() as connection:
        recorded = sa.select(sa.func.count()).where(audit_log.c.subject_id == demoted.id)
        assert connection.scalar(recorded.where(audit_log.c.action == "update_member")) == 1


def test_no_session_that_is_opened_meanwhile_outlives_a_suspension(
    direct: str, members: Members, database: sa.Engine
) -> None:
    for _ in range(TURNS):
        staff, member = members.staff(), members.new(password="stored")
        with database.connect() as connection:
            attempt = sa.insert(attempts).values(kind="test", subject="", address="", attempted_at=NOW)
            ids = [connection.scalar(attempt.returning(attempts.c.id)) or 0 for _ in range(6)]
        tries = [log_in.LogInAttempt(attempt_id, member.id, "stored") for attempt_id in ids]
        entering: list[Callable[[sa.Connection], Any]] = [
            partial(log_in.open_session, attempt=attempt, password="right", stored="stored", now=NOW)
            for attempt in tries
        ]
        locked_row = sa.select(users.c.id).where(users.c.id == member.id)
        results = at_once_behind(database, locked_row, direct, [*entering, work(staff, member, SUSPENSION)])
        assert isinstance(results[-1], ChangedMember)
        assert all(isinstance(result, log_in.NewSession | AccountSuspended) for result in results[:-1]), results
        with database.connect() as connection:
            live = sa.select(sa.func.count()).where(
                session_rows.c.user_id == member.id, session_rows.c.ended_at.is_(None)
            )
            assert connection.scalar(live) == 0


def test_one_is_made_staff_once(direct: str, members: Members) -> None:
    member = members.new()
    results = at_once(direct, [partial(changes.grant_staff, username=member.username)] * 20)
    assert Counter(result.granted for result in results if isinstance(result, changes.Grant)) == {
        True: 1,
        False: 19,
    }


def test_eight_purges_at_once_remove_each_row_once(direct: str, database: sa.Engine) -> None:
    name = secrets.token_hex(6)
    old = {"kind": name, "subject": "", "address": "", "attempted_at": datetime(2020, 1, 1, tzinfo=UTC)}
    with database.connect() as connection:
        connection.execute(sa.insert(attempts), [old] * 500)
        first = connection.scalar(sa.select(sa.func.min(attempts.c.id)).where(attempts.c.kind == name)) or 0
    purge = partial(retention.purge, kind="attempts", after=first - 1, now=NOW)
    results = at_once(direct, [purge] * 8)
    assert all(isinstance(result, retention.Batch) for result in results), results
    purged = sum(result.purged for result in results if isinstance(result, retention.Batch))
    with database.connect() as connection:
        left = connection.scalar(sa.select(sa.func.count()).where(attempts.c.kind == name))
    assert purged + (left or 0) == 500

"""Concurrent requests give as many claims as a code allows, and each member one."""

import secrets
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from benchmarks import claim_together
from goatedvips.domain.access import Caller
from goatedvips.domain.codes import claims, issue
from goatedvips.errors import CodeNotClaimable, CodeTaken
from goatedvips.models.codes import bonus_codes, code_claims
from goatedvips.models.rewards import rewards
from tests.concurrency.together import at_once, at_once_behind, await_waiting
from tests.support.codes import Codes
from tests.support.members import Member, Members

NOW = datetime.now(UTC)


def claim_at_once(url: str, database: sa.Engine, claimers: list[Member], code: str) -> list[claims.Claim | Exception]:
    callers = [Caller(member.id, member.session_id, "test") for member in claimers]
    works: list[Callable[[sa.Connection], claims.Claim]] = [
        partial(claims.claim, caller=caller, code=code, client_network="test", now=NOW) for caller in callers
    ]
    row = sa.select(bonus_codes.c.id).where(bonus_codes.c.code == code)
    return at_once_behind(database, row, url, works)


def assert_claimed(database: sa.Engine, code_id: int, count: int) -> None:
    """The counter of the code equals the number of its claims, and each claim has one reward."""
    with database.connect() as connection:
        assert connection.scalar(sa.select(bonus_codes.c.claims).where(bonus_codes.c.id == code_id)) == count
        claimers = connection.scalars(sa.select(code_claims.c.user_id).where(code_claims.c.code_id == code_id)).all()
        assert len(claimers) == len(set(claimers)) == count
        granted = sa.select(rewards.c.user_id).where(rewards.c.source_type == "code", rewards.c.source_id == code_id)
        assert sorted(connection.scalars(granted)) == sorted(claimers)


def test_two_hundred_concurrent_members_get_as_many_claims_as_the_code_allows(
    patient: str, members: Members, codes: Codes, database: sa.Engine
) -> None:
    two_hundred = [members.new(seeds=False) for _ in range(200)]
    for max_claims, expected in ((10, {claims.Claim: 10, CodeNotClaimable: 190}), (None, {claims.Claim: 200})):
        code = codes.new(max_claims=max_claims)
        results = claim_at_once(patient, database, two_hundred, code.code)
        assert Counter(type(result) for result in results) == expected, results
        assert all(result.created for result in results if isinstance(result, claims.Claim))
        assert_claimed(database, code.id, expected[claims.Claim])


@pytest.mark.parametrize("max_claims", [1, 10, None])
def test_fifty_concurrent_claims_of_one_member_give_one_claim_and_one_answer(
    direct: str, members: Members, codes: Codes, database: sa.Engine, max_claims: int | None
) -> None:
    code = codes.new(max_claims=max_claims)
    results = claim_at_once(direct, database, [members.new()] * 50, code.code)
    answers = {(result.id, result.claimed_at) for result in results if isinstance(result, claims.Claim)}
    assert len(answers) == 1, results
    assert Counter(result.created for result in results if isinstance(result, claims.Claim)) == {True: 1, False: 49}
    assert_claimed(database, code.id, 1)


@pytest.mark.parametrize(
    "change",
    [{"revoked_at": NOW}, {"max_claims": 1, "claims": 1, "is_used": True}, {"max_claims": 1, "is_used": True}],
    ids=["revoked", "exhausted", "used by the legacy application"],
)
def test_a_claim_that_waits_for_a_change_of_the_code_leaves_nothing_if_the_code_cannot_be_claimed_afterwards(
    direct: str, members: Members, codes: Codes, database: sa.Engine, change: dict[str, Any]
) -> None:
    code, claimers = codes.new(), [members.new(seeds=False) for _ in range(3)]
    callers = [Caller(member.id, member.session_id, "test") for member in claimers]
    works = [partial(claims.claim, caller=caller, code=code.code, client_network="test", now=NOW) for caller in callers]
    with database.connect() as holder, ThreadPoolExecutor(1) as pool:
        holder.execution_options(isolation_level="READ COMMITTED")
        holder.execute(sa.update(bonus_codes).where(bonus_codes.c.id == code.id).values(change))
        results = pool.submit(at_once, direct, works)
        await_waiting(database, len(works))
        holder.commit()
        assert [type(result) for result in results.result()] == [CodeNotClaimable] * 3
    with database.connect() as connection:
        assert connection.execute(sa.select(code_claims).where(code_claims.c.code_id == code.id)).all() == []
        ids = [member.id for member in claimers]
        assert connection.execute(sa.select(rewards).where(rewards.c.user_id.in_(ids))).all() == []


def test_a_thousand_members_claim_one_code_at_once_from_two_processes(
    direct: str, members: Members, codes: Codes, database: sa.Engine
) -> None:
    code, callers = codes.new(), claim_together.new_callers(database, 1000)
    done = claim_together.claim_all(direct, [(caller, code.code) for caller in callers])
    assert done.failures == []
    assert done.claims == 1000
    assert_claimed(database, code.id, 1000)


def test_ten_concurrent_staff_issue_one_code_of_a_name(direct: str, members: Members, database: sa.Engine) -> None:
    name = f"Goat {secrets.token_hex(6)}"
    staff = [members.staff(seeds=False) for _ in range(10)]
    works: list[Callable[[sa.Connection], issue.Code]] = []
    for number, member in enumerate(staff):
        text = name if number % 2 else name.upper().replace(" ", "-")
        terms = issue.Terms(text, Decimal(5), "USD", None, NOW + timedelta(days=1), None, None)
        caller = Caller(member.id, member.session_id, "test")
        works.append(partial(issue.issue, caller=caller, terms=terms, now=NOW))
    results = at_once(direct, works)
    assert Counter(type(result) for result in results) == {issue.Code: 1, CodeTaken: 9}, results

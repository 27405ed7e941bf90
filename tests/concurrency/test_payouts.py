"""Runs of payouts at once, with corrections and withdrawals, pay nothing twice and step round no negative row."""

import random
import secrets
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from database.checks.reconciliation import _payouts_of_another_sum, _rewards_in_several_payouts
from goatedvips.domain.access import Caller
from goatedvips.domain.rewards import grants, payments, payouts
from goatedvips.errors import Conflict, NotFound
from goatedvips.models.rewards import payout_items, rewards
from goatedvips.models.rewards import payouts as payout_rows
from tests.concurrency.together import at_once, await_waiting, locked_until_waiting
from tests.support import ledger
from tests.support.ledger import NOON
from tests.support.members import Member, Members


@pytest.fixture(autouse=True)
def _nothing_is_open(database: sa.Engine) -> None:
    ledger.empty(database)


def caller(member: Member) -> Caller:
    return Caller(member.id, member.session_id, "test")


def pay_out(staff: Member, **wanted: Any) -> Callable[[sa.Connection], payouts.Batch]:
    given = {"before": None, "min_amount": None, "user_ids": None} | wanted
    now = secrets.randbelow(3)
    return partial(payouts.create, caller=caller(staff), now=NOON + timedelta(days=1, seconds=now), **given)


def assert_sound(database: sa.Engine) -> None:
    """Σ items = amount > 0 for each payout, and no reward is in two of them."""
    with database.connect() as connection:
        assert connection.execute(_payouts_of_another_sum()).all() == []
        assert connection.execute(_rewards_in_several_payouts()).all() == []
        assert connection.scalar(sa.select(sa.func.count()).where(payout_rows.c.amount <= 0)) == 0


def test_ten_thousand_members_are_paid_by_one_of_two_runs_at_once(
    patient: str, members: Members, database: sa.Engine
) -> None:
    staff, tag = members.staff(seeds=False), secrets.token_hex(6)
    with database.connect() as connection:
        connection.execute(
            sa.text(
                "WITH people AS (INSERT INTO users (username, email, password) SELECT :tag || n, :tag || n, ''"
                " FROM generate_series(1, 10000) n RETURNING id)"
                " INSERT INTO rewards (user_id, source_type, source_id, amount, created_at)"
                " SELECT id, 'race', n, n, '2026-05-01' FROM people, generate_series(1, 3) n"
            ),
            {"tag": tag},
        )
    results = at_once(patient, [pay_out(staff)] * 2)
    assert Counter(result.count for result in results if isinstance(result, payouts.Batch)) == {10_000: 1, 0: 1}
    assert sum(result.amount for result in results if isinstance(result, payouts.Batch)) == Decimal(60_000)
    assert_sound(database)


@pytest.mark.parametrize("seed", [21, None], ids=["fixed seed", "random seed"])
def test_random_runs_corrections_and_withdrawals_at_once(
    patient: str, members: Members, database: sa.Engine, seed: int | None
) -> None:
    number = secrets.randbelow(2**32) if seed is None else seed
    print(f"SEED={number}")  # noqa: T201 - it repeats a failure
    chance = random.Random(number)  # noqa: S311 - it is no secret
    staff, people = members.staff(seeds=False), [members.new(seeds=False) for _ in range(6)]
    for _ in range(8):
        for person in people:
            for _ in range(chance.randrange(4)):
                amount = str(Decimal(chance.randrange(-600, 1000) or 1) / 100)
                ledger.reward(database, person.id, amount, at=NOON + timedelta(hours=chance.randrange(48)))
        runs = [pay_out(staff, **_wanted(chance, people)) for _ in range(3)]
        person, taken_back = chance.choice(people), Decimal(-chance.randrange(1, 900)) / 100
        correct = partial(
            grants.grant, caller=caller(staff), user_id=person.id, amount=taken_back, reason="r", now=NOON
        )
        with database.connect() as connection:
            made = connection.scalars(sa.select(payout_rows.c.id)).all()
        withdraw = partial(payments.withdraw, caller=caller(staff), payout_id=chance.choice(made or [1]), now=NOON)
        works: list[Callable[[sa.Connection], Any]] = [*runs, correct, withdraw]
        chance.shuffle(works)
        failed = [result for result in at_once(patient, works) if isinstance(result, Exception)]
        assert all(isinstance(error, NotFound) for error in failed), failed
        assert_sound(database)
        _assert_no_negative_row_is_left_behind(database, chance, staff, people)


def _wanted(chance: random.Random, people: list[Member]) -> dict[str, Any]:
    return {
        "before": chance.choice([None, NOON + timedelta(hours=chance.randrange(48))]),
        "min_amount": chance.choice([None, Decimal(chance.randrange(1, 900)) / 100]),
        "user_ids": chance.choice([None, [person.id for person in chance.sample(people, 3)]]),
    }


def _assert_no_negative_row_is_left_behind(
    database: sa.Engine, chance: random.Random, staff: Member, people: list[Member]
) -> None:
    """Alone, a run takes exactly the rows that the rules name: all negative ones of whomever it pays."""
    wanted = _wanted(chance, people)
    is_open = ~sa.exists().where(payout_items.c.reward_id == rewards.c.id)
    with database.connect() as connection:
        rows = connection.execute(sa.select(rewards).where(is_open)).all()
        batch = pay_out(staff, **wanted)(connection)
        made = connection.execute(
            sa.select(payout_rows.c.user_id, payout_items.c.reward_id)
            .join(payout_items, payout_items.c.payout_id == payout_rows.c.id)
            .where(payout_rows.c.batch_id == batch.batch_id)
        ).all()
    expected = set()
    for user_id in {row.user_id for row in rows if wanted["user_ids"] is None or row.user_id in wanted["user_ids"]}:
        own = [row for row in rows if row.user_id == user_id]
        taken = [row for row in own if row.amount < 0 or wanted["before"] is None or row.created_at < wanted["before"]]
        total = sum(row.amount for row in taken)
        if total > 0 and (wanted["min_amount"] is None or total >= wanted["min_amount"]):
            expected |= {(user_id, row.id) for row in taken}
    assert {(row.user_id, row.reward_id) for row in made} == expected


@pytest.mark.parametrize("first", ["withdrawal", "reference"])
def test_of_a_withdrawal_and_a_reference_at_once_the_first_is_done(
    patient: str, members: Members, database: sa.Engine, first: str
) -> None:
    """Both wait for the payout's row, in an order that the test decides: the first in PostgreSQL's queue goes on."""
    staff, member = members.staff(seeds=False), members.new(seeds=False)
    reward = ledger.reward(database, member.id, "5.00")
    payout_id = ledger.payout(database, member.id, "5.00", reward)
    by: dict[str, Any] = {"caller": caller(staff), "payout_id": payout_id, "now": NOON}
    works: dict[str, Callable[[sa.Connection], Any]] = {
        "withdrawal": partial(payments.withdraw, **by),
        "reference": partial(payments.set_reference, reference="TX-1", **by),
    }
    results = {}
    row = sa.select(payout_rows.c.id).where(payout_rows.c.id == payout_id)
    with ThreadPoolExecutor(2) as pool:
        with locked_until_waiting(database, row, 2):
            for waiting, name in enumerate(sorted(works, key=lambda name: name != first), 1):
                results[name] = pool.submit(at_once, patient, [works[name]])
                await_waiting(database, waiting)
        (withdrawn,), (referenced,) = results["withdrawal"].result(), results["reference"].result()
    with database.connect() as connection:
        left = connection.execute(sa.select(payout_rows.c.reference)).scalars().all()
        covered = connection.scalars(sa.select(payout_items.c.reward_id)).all()
    if first == "withdrawal":
        assert withdrawn is None
        assert isinstance(referenced, NotFound)
        assert (left, covered) == ([], [])
    else:
        assert isinstance(withdrawn, Conflict)
        assert isinstance(referenced, payments.Payout)
        assert (left, covered) == (["TX-1"], [reward])
    actions = {"withdrawal": "withdraw_payout", "reference": "reference_payout"}
    assert [entry[0] for entry in ledger.audit_entries(database, staff.id)] == [actions[first]]

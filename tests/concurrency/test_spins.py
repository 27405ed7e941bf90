"""Concurrent requests give a member one spin a day."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from goatedvips.domain.access import Caller
from goatedvips.domain.wheel import fairness, spins
from goatedvips.errors import AlreadySpun
from goatedvips.models.codes import bonus_codes
from goatedvips.models.wheel import wheel_seeds, wheel_spins
from tests.concurrency.together import at_once, at_once_behind, call_at_once
from tests.support.members import Members

NOW = datetime.now(UTC)


@pytest.mark.parametrize("seeds", [True, False], ids=["member", "adopted member"])
def test_fifty_concurrent_spins_give_one_spin(
    direct: str, members: Members, database: sa.Engine, monkeypatch: pytest.MonkeyPatch, seeds: bool
) -> None:
    monkeypatch.setattr(fairness, "draw", lambda *_: 0)
    member = members.new(seeds=seeds)
    caller = Caller(member.id, member.session_id, "test")
    works = [partial(spins.spin, caller=caller, client_seed=None, now=NOW)] * 50
    row = sa.select(wheel_seeds.c.id).where(wheel_seeds.c.user_id == member.id, wheel_seeds.c.activated_at.is_not(None))
    results = at_once_behind(database, row, direct, works) if seeds else at_once(direct, works)
    assert Counter(type(result) for result in results) == {spins.Spin: 1, AlreadySpun: 49}, results
    (spin,) = (result for result in results if isinstance(result, spins.Spin))
    assert {result.members["spin_id"] for result in results if isinstance(result, AlreadySpun)} == {spin.id}
    with database.connect() as connection:
        for table in (wheel_spins, bonus_codes):
            rows = connection.execute(sa.select(table).where(table.c.user_id == member.id)).all()
            assert len(rows) == 1, table.name
        nonces = connection.execute(
            sa.select(wheel_seeds.c.nonce).where(wheel_seeds.c.user_id == member.id).order_by(wheel_seeds.c.nonce)
        )
        assert nonces.scalars().all() == [0, 1], "the active seed was used once, the upcoming one was not used"


def test_concurrent_spins_of_ten_days_draw_with_ten_nonces(direct: str, members: Members) -> None:
    member = members.new()
    caller = Caller(member.id, member.session_id, "test")
    days = [NOW + timedelta(days=day) for day in range(10)]
    results = at_once(direct, [partial(spins.spin, caller=caller, client_seed=None, now=day) for day in days])
    assert all(isinstance(result, spins.Spin) for result in results), results
    nonces = [result.fairness.nonce for result in results if isinstance(result, spins.Spin)]
    assert sorted(nonces) == list(range(10))


def test_fifty_concurrent_requests_with_one_key_have_one_effect_and_one_answer(
    direct: str, members: Members, database: sa.Engine
) -> None:
    member = members.new()
    answers = call_at_once(direct, "spin_wheel", 50, by=member, headers={"idempotency-key": "one"}, body={})
    assert {(answer["statusCode"], answer["body"]) for answer in answers} == {(201, answers[0]["body"])}
    assert sum("Idempotency-Replayed" in answer["headers"] for answer in answers) == 49
    with database.connect() as connection:
        assert len(connection.execute(sa.select(wheel_spins).where(wheel_spins.c.user_id == member.id)).all()) == 1

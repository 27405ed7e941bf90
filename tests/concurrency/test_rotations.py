"""No spin commits on a revealed server seed, and no nonce is used twice, whichever of spin and rotation comes first."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from goatedvips.domain.access import Caller
from goatedvips.domain.wheel import fairness, rotation, spins
from goatedvips.domain.wheel.rotation import Rotation
from goatedvips.domain.wheel.spins import Spin
from goatedvips.errors import SeedUnused
from goatedvips.models.wheel import wheel_seeds, wheel_spins
from tests.concurrency.together import at_once
from tests.support.members import Member, Members
from tests.support.spins import LOST
from tests.support.spins import Spins as SpinRows

NOW = datetime.now(UTC)


def caller(member: Member) -> Caller:
    return Caller(member.id, member.session_id, "test")


def await_waiting(database: sa.Engine, count: int) -> None:
    """Wait until as many sessions wait for a lock."""
    waiting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name AND wait_event_type = 'Lock'")
    end, found = time.monotonic() + 60, 0
    with database.connect() as connection:
        while found < count and time.monotonic() < end:
            time.sleep(0.02)
            found = connection.execute(waiting, {"name": os.environ["TEST_DATABASE"]}).scalar_one()
    assert found == count


def start[T](pool: ThreadPoolExecutor, url: str, work: Callable[[Connection], T]) -> Future[T | Exception]:
    return pool.submit(lambda: at_once(url, [work])[0])


def stored(database: sa.Engine, member: Member) -> dict[int, list[int]]:
    """The nonces of the member's spins by the id of their seed, which must be 0, 1, 2 … without a gap."""
    with database.connect() as connection:
        seeds = connection.execute(sa.select(wheel_seeds).where(wheel_seeds.c.user_id == member.id)).all()
        drawn = connection.execute(sa.select(wheel_spins).where(wheel_spins.c.user_id == member.id)).all()
    nonces = {seed.id: sorted(spin.nonce for spin in drawn if spin.seed_id == seed.id) for seed in seeds}
    assert {seed.id: [*range(seed.nonce)] for seed in seeds} == nonces
    return nonces


def test_a_rotation_that_comes_during_a_spin_waits_for_it_and_counts_it(
    direct: str, members: Members, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = members.new()
    SpinRows(database).new(member.id, NOW - timedelta(days=1))
    is_drawing, may_draw = threading.Event(), threading.Event()

    def draw(*_: object) -> int:
        is_drawing.set()
        assert may_draw.wait(60)
        return LOST

    monkeypatch.setattr(fairness, "draw", draw)
    with ThreadPoolExecutor(2) as pool:
        spinning = start(pool, direct, partial(spins.spin, caller=caller(member), client_seed=None, now=NOW))
        assert is_drawing.wait(60)
        rotating = start(pool, direct, partial(rotation.rotate, caller=caller(member), client_seed=None, now=NOW))
        await_waiting(database, 1)
        may_draw.set()
        spin, rotated = spinning.result(), rotating.result()
    assert isinstance(spin, Spin), spin
    assert isinstance(rotated, Rotation), rotated
    assert rotated.revealed.server_seed_hash == spin.fairness.server_seed_hash
    assert (rotated.revealed.spins, spin.fairness.nonce) == (2, 1)
    assert stored(database, member)[rotated.revealed.id] == [0, 1]


def test_a_spin_that_comes_during_a_rotation_is_drawn_from_the_next_seed(
    direct: str, members: Members, database: sa.Engine
) -> None:
    member = members.new()
    SpinRows(database).new(member.id, NOW - timedelta(days=1))
    upcoming = sa.select(wheel_seeds.c.id).where(
        wheel_seeds.c.user_id == member.id, wheel_seeds.c.activated_at.is_(None)
    )
    with ThreadPoolExecutor(2) as pool, database.connect() as holder:
        holder.execution_options(isolation_level="READ COMMITTED")
        holder.execute(upcoming.with_for_update()).one()  # the rotation has locked the active seed when it waits for it
        rotating = start(pool, direct, partial(rotation.rotate, caller=caller(member), client_seed=None, now=NOW))
        await_waiting(database, 1)
        spinning = start(pool, direct, partial(spins.spin, caller=caller(member), client_seed=None, now=NOW))
        await_waiting(database, 2)
        holder.commit()
        spin, rotated = spinning.result(), rotating.result()
    assert isinstance(spin, Spin), spin
    assert isinstance(rotated, Rotation), rotated
    assert rotated.revealed.spins == 1
    assert (spin.fairness.server_seed_hash, spin.fairness.nonce) == (rotated.server_seed_hash, 0)
    assert stored(database, member)[rotated.revealed.id] == [0]


def test_two_rotations_at_once_reveal_one_seed(direct: str, members: Members, database: sa.Engine) -> None:
    member = members.new()
    SpinRows(database).new(member.id, NOW - timedelta(days=1))
    works = [partial(rotation.rotate, caller=caller(member), client_seed=None, now=NOW)] * 10
    results = at_once(direct, works)
    assert Counter(type(result) for result in results) == {Rotation: 1, SeedUnused: 9}, results
    assert len(stored(database, member)) == 3


def test_spins_of_many_days_and_rotations_at_once_leave_no_gap(
    direct: str, members: Members, database: sa.Engine
) -> None:
    member = members.new()
    SpinRows(database).new(member.id, NOW - timedelta(days=1))
    spin_works = [
        partial(spins.spin, caller=caller(member), client_seed=None, now=NOW + timedelta(days=day)) for day in range(15)
    ]
    rotate = partial(rotation.rotate, caller=caller(member), client_seed=None, now=NOW)
    works: list[Callable[[Connection], Spin | Rotation]] = [*spin_works, *[rotate] * 10]
    results = at_once(direct, works)
    assert all(isinstance(result, Spin | Rotation | SeedUnused) for result in results), results
    nonces = stored(database, member)
    rotations = [result for result in results if isinstance(result, Rotation)]
    assert len(rotations) >= 1
    for rotated in rotations:
        assert len(nonces[rotated.revealed.id]) == rotated.revealed.spins, "no spin was drawn after the answer"
    assert sum(map(len, nonces.values())) == 16

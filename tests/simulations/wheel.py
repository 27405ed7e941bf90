"""A simulated community that spins the wheel; the published verifier reproduces every spin."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
import verify_spin

from goatedvips import db
from goatedvips.domain.access import Caller
from goatedvips.domain.wheel import spins
from goatedvips.models.wheel import wheel_seeds, wheel_spins, wheel_versions
from tests.support.members import Member, Members
from tests.support.stack import Stack

DAYS = 60
FIRST_DAY = datetime(2030, 1, 1, tzinfo=UTC)
SPIN_CHANCE = 0.7  # of a member on a day


def run(servers: Stack, name: str, *, size: int, seed: int, days: int = DAYS) -> str:
    """Let members spin on some of the days, then reproduce every spin. Return a summary.

    Parameters
    ----------
    servers: the servers, with a migrated database `name`.
    size: the number of members.
    seed: of the pseudo-random choices.
    """
    chance = random.Random(seed)
    owner = sa.create_engine(
        servers.direct(name).replace("postgresql:", "postgresql+pg8000:"), isolation_level="AUTOCOMMIT"
    )
    api = db.make_engine(servers.direct(name, "api"))
    people = [Members(owner).new(session_lifetime=timedelta(days=10_000)) for _ in range(size)]
    count = 0
    for day in range(days):
        for member in people:
            if chance.random() < SPIN_CHANCE:
                _spin(api, chance, member, FIRST_DAY + timedelta(days=day, seconds=chance.randrange(86_400)))
                count += 1
    won = _verify(owner, [member.id for member in people])
    assert sum(won.values()) == count, "every spin is stored"
    api.dispose()
    owner.dispose()
    return f"{size} members spun {count} times in {days} days; the verifier reproduced every spin."


def _spin(api: sa.Engine, chance: random.Random, member: Member, now: datetime) -> None:
    client_seed = f"seed-{chance.randrange(10**6)}" if chance.random() < 0.3 else None
    with api.begin() as connection:
        spins.spin(connection, Caller(member.id, member.session_id, "simulation"), client_seed, now=now)


def _verify(owner: sa.Engine, user_ids: list[int]) -> Counter[int]:
    """Reproduce all spins of these members. Return how often each segment was drawn."""
    drawn: Counter[int] = Counter()
    stored = (
        sa.select(wheel_spins, wheel_seeds.c.server_seed, wheel_versions.c.segments)
        .join(wheel_seeds, wheel_seeds.c.id == wheel_spins.c.seed_id)
        .join(wheel_versions, wheel_versions.c.id == wheel_spins.c.version_id)
        .where(wheel_spins.c.user_id.in_(user_ids))
    )
    with owner.connect() as connection:
        for row in connection.execute(stored):
            weights = [segment["weight"] for segment in row.segments]
            _, index = verify_spin.draw(row.server_seed, row.client_seed, row.nonce, weights)
            assert index == row.segment_index, row
            drawn[index] += 1
    return drawn

"""A simulated community that spins the wheel for weeks; every spin is reproduced by the verifier and on Node's crypto.

Members spin on some of the days, change their client seeds and rotate their server seeds, and staff publish versions.
"""

import json
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
import verify_spin

from goatedvips import db
from goatedvips.domain.access import Caller
from goatedvips.domain.privacy import export
from goatedvips.domain.wheel import my_wheel, rotation, spins, versions
from goatedvips.errors import SeedUnused
from goatedvips.validators import privacy
from tests.support import node
from tests.support.members import Members
from tests.support.spins import remove_versions
from tests.support.stack import Stack

DAYS = 60
FIRST_DAY = datetime(2030, 1, 1, tzinfo=UTC)
SPIN_CHANCE = 0.7  # of a member on a day
NEW_CLIENT_SEED_CHANCE = 0.3  # of a spin, and of a rotation
ROTATION_CHANCE = 0.05  # of a member on a day
DAYS_PER_VERSION = 5  # on average


def run(servers: Stack, name: str, *, size: int, seed: int, days: int = DAYS) -> str:
    """Let members play, then verify each member's whole history from their export. Return a summary.

    Parameters
    ----------
    servers: the servers, with a migrated database `name`.
    size: the number of members.
    seed: of the pseudo-random choices.
    """
    owner = sa.create_engine(
        servers.direct(name).replace("postgresql:", "postgresql+pg8000:"), isolation_level="AUTOCOMMIT"
    )
    api = db.make_engine(servers.direct(name, "api"))
    community = _Community(api, random.Random(seed), Members(owner), size)
    try:
        for day in range(days):
            community.live(FIRST_DAY + timedelta(days=day))
        checked = community.verify(FIRST_DAY + timedelta(days=days))
    finally:
        remove_versions(owner)
        api.dispose()
        owner.dispose()
    counts = community.counts
    assert checked == counts["spins"], "every spin is in its member's export"
    return (
        f"{size} members, {days} days: {counts['spins']} spins, {counts['rotations']} rotations, "
        f"{counts['versions']} versions; the verifier and Node reproduced every spin"
    )


class _Community:
    """Members and a staff member, and what they did."""

    def __init__(self, api: sa.Engine, chance: random.Random, members: Members, size: int) -> None:
        lifetime = timedelta(days=10_000)
        self.counts: Counter[str] = Counter()
        self._api, self._chance = api, chance
        people = [members.new(session_lifetime=lifetime, seeds=number % 10 > 0) for number in range(size)]
        self._callers = [Caller(person.id, person.session_id, "simulation") for person in people]
        staff = members.staff(session_lifetime=lifetime)
        self._staff = Caller(staff.id, staff.session_id, "simulation")
        self._noted: dict[int, list[Any]] = {person.id: [] for person in people}

    def live(self, day: datetime) -> None:
        """Let everybody do what they do on a day."""
        if self._happens(1 / DAYS_PER_VERSION):
            self._publish(self._moment(day))
        for caller in self._callers:
            if self._happens(SPIN_CHANCE):
                self._spin(caller, self._moment(day))
            if self._happens(ROTATION_CHANCE):
                self._rotate(caller, day + timedelta(days=1, microseconds=-1))

    def _happens(self, probability: float) -> bool:
        return self._chance.random() < probability

    def _moment(self, day: datetime) -> datetime:
        return day + timedelta(microseconds=self._chance.randrange(24 * 3600 * 10**6))

    def _client_seed(self) -> str | None:
        return f"s-{self._chance.randrange(5_000)}" if self._happens(NEW_CLIENT_SEED_CHANCE) else None

    def _publish(self, now: datetime) -> None:
        segments = [
            versions.NewSegment(f"${number}", self._chance.randrange(1, 1_000), Decimal(number))
            for number in range(self._chance.randrange(1, 8))
        ]
        with self._api.begin() as connection:
            versions.publish(connection, self._staff, segments, now=now)
        self.counts["versions"] += 1

    def _spin(self, caller: Caller, now: datetime) -> None:
        with self._api.begin() as connection:
            shown = my_wheel.get(connection, caller, now=now)
        with self._api.begin() as connection:
            spin = spins.spin(connection, caller, self._client_seed(), now=now)
        assert (spin.fairness.server_seed_hash, spin.fairness.nonce) == (shown.server_seed_hash, shown.nonce)
        self._noted[caller.user_id] += [shown.server_seed_hash, shown.next_server_seed_hash]
        self.counts["spins"] += 1

    def _rotate(self, caller: Caller, now: datetime) -> None:
        with suppress(SeedUnused), self._api.begin() as connection:
            rotated = rotation.rotate(connection, caller, self._client_seed(), now=now)
            self._noted[caller.user_id].append(rotated.next_server_seed_hash)
            self.counts["rotations"] += 1

    def verify(self, now: datetime) -> int:
        """Have every seed revealed and verify every member's history. Return the number of verified spins."""
        drawn: list[dict[str, object]] = []
        results: list[int] = []
        for caller in self._callers:
            with suppress(SeedUnused), self._api.begin() as connection:
                rotation.rotate(connection, caller, None, now=now)
            with self._api.begin() as connection:
                document = json.loads(b"".join(privacy.document(now, export.everything(connection, caller, now=now))))
            history = verify_spin.History([document])
            history.check(self._noted[caller.user_id])
            assert history.refused == [], (caller.user_id, history.refused)
            _collect(history, drawn, results)
        assert node.draw(drawn) == results, "Node's crypto draws other segments"
        return len(results)


def _collect(history: verify_spin.History, drawn: list[dict[str, object]], results: list[int]) -> None:
    """Add the inputs and results of all spins, of which each has a revealed seed."""
    for spin in history.spins.values():
        inputs = spin["fairness"]
        segments: Sequence[tuple[str, int, float]] = history.versions[spin["version"]]["segments"]
        drawn.append(
            {
                "server_seed": history.seeds[inputs["server_seed_hash"]]["server_seed"],
                "client_seed": inputs["client_seed"],
                "nonce": inputs["nonce"],
                "weights": [weight for _, weight, _ in segments],
            }
        )
        results.append(spin["segment_index"])

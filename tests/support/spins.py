"""Spins, server seeds and versions of the wheel for tests, written straight into the tables."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from goatedvips.models.wheel import wheel_seeds, wheel_spins, wheel_versions
from tests.support.rows import insert_row

FIRST_VERSION = 1
LOST = 6  # the losing segment of the first version


@dataclass(frozen=True)
class Spins:
    """Makes spins and seeds."""

    database: sa.Engine

    def new(self, user_id: int, spun_at: datetime, client_seed: str = "goat") -> int:
        """Insert a lost spin on the member's active server seed, and return its id."""
        is_active = (wheel_seeds.c.activated_at.is_not(None), wheel_seeds.c.revealed_at.is_(None))
        with self.database.connect() as connection:
            seed = connection.execute(
                sa.update(wheel_seeds)
                .where(wheel_seeds.c.user_id == user_id, *is_active)
                .values(nonce=wheel_seeds.c.nonce + 1)
                .returning(wheel_seeds.c.id, wheel_seeds.c.nonce)
            ).one()
        return insert_row(
            self.database,
            wheel_spins,
            user_id=user_id,
            segment_index=LOST,
            timestamp=spun_at,
            version_id=FIRST_VERSION,
            seed_id=seed.id,
            nonce=seed.nonce - 1,
            client_seed=client_seed,
        )

    def revealed_seed(self, user_id: int, at: datetime) -> int:
        """Insert a server seed of the member that was revealed, and return its id."""
        return insert_row(
            self.database,
            wheel_seeds,
            user_id=user_id,
            server_seed=secrets.token_bytes(32),
            client_seed="goat",
            created_at=at,
            activated_at=at,
            revealed_at=at,
        )

    @contextmanager
    def version(self, segments: list[dict[str, Any]], in_force_from: datetime | None = None) -> Iterator[int]:
        """Insert a version of the wheel, and delete it again: it applies to all members of the database."""
        with self.database.connect() as connection:
            version = connection.execute(
                sa.insert(wheel_versions)
                .values(segments=segments, in_force_from=in_force_from)
                .returning(wheel_versions.c.id)
            ).scalar_one()
        try:
            yield version
        finally:
            remove_versions(self.database, after=version - 1)


def remove_versions(database: sa.Engine, *, after: int = FIRST_VERSION) -> None:
    """Delete the later versions of the wheel; their spins are attributed to the first one."""
    with database.connect() as connection:
        connection.execute(
            sa.update(wheel_spins).where(wheel_spins.c.version_id > after).values(version_id=FIRST_VERSION)
        )
        connection.execute(sa.delete(wheel_versions).where(wheel_versions.c.id > after))


def weights_of(database: sa.Engine, version: int = FIRST_VERSION) -> list[int]:
    """Return the weights of a version's segments, in order."""
    with database.connect() as connection:
        wanted = sa.select(wheel_versions.c.segments).where(wheel_versions.c.id == version)
        segments = connection.execute(wanted).scalar_one()
    return [segment["weight"] for segment in segments]

"""Tiers for tests: versions, and what members have reached."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from goatedvips.models.accounts import users
from goatedvips.models.rewards import rewards
from goatedvips.models.wagers import member_tiers, tier_versions

FIRST_VERSION = 1  # which the migrations made
DEFAULT = ["Copper", "Bronze", "Silver", "Gold", "Platinum", "Pearl", "Sapphire", "Emerald", "Diamond"]


@dataclass(frozen=True)
class Tiers:
    """Reads what members have reached, and puts versions into force."""

    database: sa.Engine

    @contextmanager
    def version(self, *tiers: tuple[str, str, str]) -> Iterator[None]:
        """Have a version in force that is put straight into its table, without the members' tiers.

        Parameters
        ----------
        tiers: each with its name, its minimum and its reward.
        """
        stored = [{"name": name, "min_wager": least, "reward": reward} for name, least, reward in tiers]
        with self.database.connect() as connection:
            connection.execute(sa.insert(tier_versions).values(tiers=stored))
        try:
            yield
        finally:
            self.remove_versions()

    def remove_versions(self) -> None:
        """Delete all versions but the first."""
        with self.database.connect() as connection:
            connection.execute(sa.delete(tier_versions).where(tier_versions.c.id > FIRST_VERSION))

    def present(self, user_id: int) -> str | None:
        """The tier of a member."""
        (row,) = self._all(sa.select(users.c.tier).where(users.c.id == user_id))
        found: str | None = row.tier
        return found

    def reached(self, user_id: int) -> list[tuple[str, str, bool]]:
        """Each recorded tier of a member, with its reward, and whether it was silent; the ledger has the same."""
        rows = self._all(sa.select(member_tiers).where(member_tiers.c.user_id == user_id).order_by(member_tiers.c.id))
        of_tiers = (rewards.c.user_id == user_id, rewards.c.source_type == "tier")
        ledger: Sequence[Any] = self._all(sa.select(rewards.c.source_id, rewards.c.amount).where(*of_tiers))
        assert sorted(ledger) == sorted((row.id, row.reward) for row in rows if row.reward)
        return [(row.tier, str(row.reward), row.is_silent) for row in rows]

    def _all(self, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        with self.database.connect() as connection:
            return list(connection.execute(query))

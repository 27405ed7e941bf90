"""Races that have ended, with participants whose accounts are in the feeds, and what their settlement wrote."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from goatedvips.models.races import historical_races
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.rewards import rewards
from goatedvips.models.wagers import wager_accounts
from tests.support.members import Member, Members
from tests.support.races import END, START, Races
from tests.support.readings import Figures, Readings

MINUTE = timedelta(minutes=1)
SETTLED_AT = END + 30 * MINUTE


@dataclass(frozen=True)
class Arena:
    """Makes races with participants and feeds, and reads what a settlement wrote."""

    database: sa.Engine
    members: Members
    races: Races
    readings: Readings

    def race(self, **columns: Any) -> int:
        """A race that the platform made: $100.01 at 50/30/20."""
        given = {
            "prize_pool": Decimal("100.01"),
            "min_wager": Decimal(10),
            "prize_distribution": {"1": 50, "2": 30, "3": 20},
            "is_legacy": False,
        }
        return self.races.new(**given | columns)

    def enter(self, race_id: int, count: int, **columns: Any) -> dict[str, Member]:
        """Let new members with linked accounts take part; return them by uid."""
        made = {}
        for _ in range(count):
            uid = f"uid-{secrets.token_hex(6)}"
            made[uid] = self.members.new(seeds=False, uid=uid)
            self.races.enter(race_id, made[uid].id, **columns)
        return made

    def feeds(self, *totals: tuple[Any, dict[str, Figures]]) -> list[int]:
        """Insert a feed for each instant and its totals; return their ids."""
        return [self.readings.feed(at, of_uids) for at, of_uids in totals]

    def ended(self, *scores: str, **columns: Any) -> tuple[int, list[Member]]:
        """A race that has ended, with a participant for each score."""
        race_id = self.race(**columns)
        players = self.enter(race_id, len(scores))
        self.feeds((START, dict.fromkeys(players, "100")), (END, self.risen(players, *scores)))
        return race_id, list(players.values())

    @staticmethod
    def risen(uids: dict[str, Member], *scores: str) -> dict[str, Figures]:
        return {uid: str(100 + Decimal(score)) for uid, score in zip(uids, scores, strict=True)}

    def accounts(self) -> list[Any]:
        """The accounts of the feed that are linked to the participants, in the order in which they were made."""
        linked = sa.select(wager_accounts).join(participants, participants.c.member_key == wager_accounts.c.user_id)
        with self.database.connect() as connection:
            return list(connection.execute(linked.order_by(wager_accounts.c.id)))

    def rewards(self, race_id: int) -> dict[int, Decimal]:
        """The prizes in the ledger, by member."""
        of_race = rewards.c.source_type == "race", rewards.c.source_id == race_id
        with self.database.connect() as connection:
            rows = connection.execute(sa.select(rewards.c.user_id, rewards.c.amount).where(*of_race))
            return {row.user_id: row.amount for row in rows}

    def archived(self, race_id: int) -> Any:
        """The row of the archive, or None."""
        row = sa.select(historical_races).where(historical_races.c.race_id == race_id)
        with self.database.connect() as connection:
            return connection.execute(row).one_or_none()

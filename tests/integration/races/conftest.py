"""Races for tests, written straight into the tables."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.races import wager_race_participants, wager_races

START = datetime(2026, 6, 1, tzinfo=UTC)
END = datetime(2026, 6, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Races:
    """Makes races and who takes part in them, and looks at them."""

    database: sa.Engine

    def new(self, **columns: Any) -> int:
        """Make a race as the guide's application does, unless the columns say otherwise."""
        given = {
            "title": "June's first",
            "type": "weekly",
            "status": "upcoming",
            "prize_pool": "500",
            "start_date": START,
            "end_date": END,
            "min_wager": "10",
            "prize_distribution": {"1": 50, "2": 30.5},
        } | columns
        with self.database.connect() as connection:
            made = sa.insert(wager_races).values(given).returning(wager_races.c.id)
            return int(connection.execute(made).scalar_one())

    def enter(self, race_id: int, user_id: int | None, **columns: Any) -> int:
        """Let a member take part; the trigger fills the key, as it does for the guide's application."""
        given = {"race_id": race_id, "user_id": user_id, "total_wager": 0} | columns
        with self.database.connect() as connection:
            made = sa.insert(wager_race_participants).values(given).returning(wager_race_participants.c.id)
            return int(connection.execute(made).scalar_one())

    def row(self, race_id: int) -> Any:
        """The race's row."""
        with self.database.connect() as connection:
            return connection.execute(sa.select(wager_races).where(wager_races.c.id == race_id)).one()

    def participants(self, race_id: int) -> list[Any]:
        """The rows of who takes part."""
        with self.database.connect() as connection:
            return list(
                connection.execute(
                    sa.select(wager_race_participants).where(wager_race_participants.c.race_id == race_id)
                )
            )

    def following(self, race_id: int) -> list[Any]:
        """The races that follow this one."""
        with self.database.connect() as connection:
            return list(connection.execute(sa.select(wager_races).where(wager_races.c.follows_id == race_id)))


@pytest.fixture
def races(database: sa.Engine) -> Races:
    """Makes races."""
    return Races(database)

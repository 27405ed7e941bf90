"""Races and participations for tests, written straight into the tables."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from goatedvips.models.races import historical_races, wager_race_participants, wager_races
from tests.support.readings import Readings
from tests.support.rows import insert_row

START = datetime(2026, 6, 1, tzinfo=UTC)
END = datetime(2026, 6, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Races:
    """Makes races and participations, and reads them."""

    database: sa.Engine

    def new(self, **columns: Any) -> int:
        """Insert a race as the legacy application does, with the given columns changed, and return its id."""
        given: dict[str, Any] = {
            "title": "June's first",
            "type": "weekly",
            "status": "upcoming",
            "prize_pool": Decimal(500),
            "start_date": START,
            "end_date": END,
            "min_wager": Decimal(10),
            "prize_distribution": {"1": 50, "2": 30.5},
        }
        return insert_row(self.database, wager_races, **given | columns)

    def enter(self, race_id: int, user_id: int | None, **columns: Any) -> int:
        """Insert a participation and return its id. A trigger fills its key column, as in the legacy application."""
        given: dict[str, Any] = {"race_id": race_id, "user_id": user_id, "total_wager": Decimal(0)}
        return insert_row(self.database, wager_race_participants, **given | columns)

    def read(self, race_id: int, requested_at: datetime) -> int:
        """Say that the ranks of a race come from a feed that was requested at an instant. Return the feed's id."""
        feed_id = Readings(self.database).feed(requested_at)
        with self.database.connect() as connection:
            connection.execute(sa.update(wager_races).where(wager_races.c.id == race_id).values(board_feed_id=feed_id))
        return feed_id

    def change_participant(self, participant_id: int, **columns: Any) -> None:
        """Change columns of a participation's row."""
        with self.database.connect() as connection:
            table = wager_race_participants
            connection.execute(sa.update(table).where(table.c.id == participant_id).values(columns))

    def archive(self, **columns: Any) -> int:
        """Archive a race as the legacy application does, with the given columns changed, and return the row's id."""
        given: dict[str, Any] = {
            "month": "June",
            "year": "2026",
            "prize_pool": Decimal(500),
            "start_date": START,
            "end_date": END,
            "participants": [{"username": "ann", "totalWager": 12.5}],
            "total_wagered": Decimal("1234.5"),
            "participant_count": "1",
        }
        return insert_row(self.database, historical_races, **given | columns)

    def row(self, race_id: int) -> Any:
        """The row of a race."""
        with self.database.connect() as connection:
            return connection.execute(sa.select(wager_races).where(wager_races.c.id == race_id)).one()

    def participants(self, race_id: int) -> list[Any]:
        """The participations of a race."""
        rows = sa.select(wager_race_participants).where(wager_race_participants.c.race_id == race_id)
        with self.database.connect() as connection:
            return list(connection.execute(rows))

    def following(self, race_id: int) -> list[Any]:
        """The races that follow a race."""
        with self.database.connect() as connection:
            return list(connection.execute(sa.select(wager_races).where(wager_races.c.follows_id == race_id)))

    def remove_all(self) -> None:
        """Remove every race, for tests of what handles all races of the database."""
        with self.database.connect() as connection:
            connection.execute(sa.delete(wager_race_participants))
            connection.execute(sa.delete(wager_races))

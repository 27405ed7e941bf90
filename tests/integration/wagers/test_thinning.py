"""Readings over 90 days old: each day keeps the last and the highest, but those of an unsettled race stay."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from goatedvips import db
from goatedvips.domain.operations import retention
from tests.support.ingesting import Ingesting
from tests.support.races import Races

DAY = timedelta(days=1)
FIRST = datetime(2026, 6, 1, tzinfo=UTC)
NOW = FIRST + 92 * DAY + timedelta(hours=12)  # 1 and 2 June are old


@pytest.fixture
def ingesting(database: sa.Engine) -> Ingesting:
    made = Ingesting(database)
    made.remove_all()
    for day in range(3):
        for hour, total in enumerate((10, 40, 20, 5, 30)):
            total_then = total + 100 * day
            ingested = FIRST + day * DAY + timedelta(hours=4 * hour)
            made.ingest(ingested, {"a": str(total_then), "b": str(total_then)})
    return made


def thin() -> int:
    with db.transaction() as connection:
        return retention.purge(connection, "thinned_readings", 0, now=NOW).purged


def totals(ingesting: Ingesting, uid: str = "a") -> list[Decimal]:
    return [total for _, total in ingesting.readings(uid)]


def test_each_old_day_keeps_its_last_and_its_highest_reading(ingesting: Ingesting) -> None:
    assert thin() == 2 * 2 * 3
    assert totals(ingesting) == totals(ingesting, "b") == [40, 30, 140, 130, 210, 240, 220, 205, 230]
    assert thin() == 0


@pytest.mark.parametrize(("mark", "kept"), [(None, 7 + 5), ("settled_at", 9), ("cancelled_at", 9)])
def test_readings_of_an_unsettled_race_stay(
    ingesting: Ingesting, database: sa.Engine, mark: str | None, kept: int
) -> None:
    marks = {} if mark is None else {mark: NOW}
    Races(database).new(start_date=FIRST + DAY + timedelta(hours=12), end_date=FIRST + 2 * DAY, **marks)
    thin()
    assert len(totals(ingesting)) == kept


def test_readings_are_examined_for_60_days_only(ingesting: Ingesting) -> None:
    with db.transaction() as connection:
        late = retention.purge(connection, "thinned_readings", 0, now=NOW + 59 * DAY)
    assert late.purged == 2 * (1 + 3), "those of 1 June and of the first half of 2 June are too old"

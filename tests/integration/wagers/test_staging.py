"""Rows beside the entries of a feed: one join whose plan does not depend on what PostgreSQL knows of the entries."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from goatedvips.domain.wagers.staging import beside_entries
from goatedvips.models.wagers import feed_entries as entries
from goatedvips.models.wagers import wager_accounts as accounts
from tests.support.ingesting import Ingesting

AT = datetime(2026, 6, 1, tzinfo=UTC)
ROWS = 2_000
_beside = beside_entries(accounts)


def test_rows_and_entries_stand_side_by_side(database: sa.Engine) -> None:
    ingesting = Ingesting(database)
    ingesting.remove_all()
    ingesting.ingest(AT, {"both": "1", "account": "2"})
    with database.connect().execution_options(isolation_level="READ COMMITTED") as connection:
        connection.execute(sa.insert(entries), [{"uid": "both", "total_wager": 3}, {"uid": "entry", "total_wager": 4}])
        found = {
            (row.its_uid, row.its_total_wager, row.uid, row.total_wager)
            for row in connection.execute(sa.select(_beside))
        }
        connection.rollback()
    assert found == {("both", 1, "both", 3), ("account", 2, None, None), (None, None, "entry", 4)}


def test_the_join_is_a_full_one_though_the_entries_seem_to_be_none(database: sa.Engine) -> None:
    with database.connect().execution_options(isolation_level="READ COMMITTED") as connection:
        fill = sa.text("INSERT INTO feed_entries (uid, name) SELECT 'uid-' || n, 'name' FROM generate_series(1, :n) n")
        connection.execute(fill, {"n": ROWS})
        connection.execute(sa.delete(entries))
        connection.exec_driver_sql("ANALYZE feed_entries")  # as autovacuum does, at any moment
        connection.execute(fill, {"n": ROWS})
        statement = sa.select(_beside).where(_beside.c.its_uid.is_not(None)).compile(database)
        plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}").scalar_one()
        connection.rollback()
    joins = list(_joins(plan[0]["Plan"]))
    assert [join["Join Type"] for join in joins] == ["Full"]
    assert min(child["Plan Rows"] for child in joins[0]["Plans"]) < ROWS / 100, "the entries do not seem to be none"


def _joins(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "Join Type" in plan:
        yield plan
    for child in plan.get("Plans", ()):
        yield from _joins(child)

"""Statements are written while another run writes the same ones, ends halfway, or a member changes meanwhile."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from goatedvips.domain.access import Caller
from goatedvips.domain.wagers import acceptance
from goatedvips.domain.wagers.statements import months, writing
from goatedvips.models.accounts import users
from goatedvips.models.notifications import outbox
from goatedvips.models.wagers import link_periods, statements
from tests.concurrency.together import at_once, at_once_behind, await_waiting
from tests.support.functions import Functions
from tests.support.ingesting import Ingesting
from tests.support.members import Member, Members

MAY, JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7))
DAY = timedelta(days=1)
WAITING = sa.text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@dataclass(frozen=True)
class May:
    """Members who have wagered 10, 20 … US dollars in May."""

    database: sa.Engine
    ingesting: Ingesting
    people: list[Member]
    uids: list[str]

    @property
    def expected(self) -> list[tuple[int, Decimal]]:
        return [(member.id, Decimal(10 * number)) for number, member in enumerate(self.people, 1)]

    @property
    def last(self) -> sa.Select[Any]:
        """The row of the last member."""
        return sa.select(users.c.id).where(users.c.id == self.people[-1].id)

    @property
    def write(self) -> Callable[[Connection], writing.Batch]:
        with self.database.connect() as connection:
            bounds = months.find_bounds(connection, months.Month(MAY))
        return partial(writing.write_batch, bounds=bounds, after=self.people[0].id - 1, now=JUNE)

    def written(self, month: datetime = MAY) -> list[tuple[int, Decimal]]:
        of_month = statements.c.month == month, statements.c.user_id >= self.people[0].id
        rows = sa.select(statements.c.user_id, statements.c.wagered).where(*of_month).order_by(statements.c.user_id)
        with self.database.connect() as connection:
            return [(user_id, wagered) for user_id, wagered in connection.execute(rows)]

    def count(self, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> int:
        own = table.c.user_id >= self.people[0].id
        with self.database.connect() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(table).where(own, *conditions)) or 0)


@pytest.fixture
def may(database: sa.Engine, members: Members) -> May:
    ingesting = Ingesting(database)
    ingesting.remove_all()
    uids = [secrets.token_hex(8) for _ in range(5)]
    people = [members.new(uid=uid, seeds=False) for uid in uids]
    for at, wagered in ((MAY, 0), (MAY + DAY, 10)):
        ingesting.ingest(at, {uid: str(100 + wagered * number) for number, uid in enumerate(uids, 1)})
    return May(database, ingesting, people, uids)


def behind(may: May, url: str, meanwhile: Callable[[], object]) -> Any:
    """Return what a run returned or raised that waited for the last member, whose row was locked until `meanwhile`."""
    with ThreadPoolExecutor(1) as pool, may.database.connect() as holder:
        holder.execution_options(isolation_level="READ COMMITTED")
        holder.execute(may.last.with_for_update()).one()
        waiting = pool.submit(at_once, url, [may.write])
        try:
            await_waiting(may.database, 1)
            meanwhile()
        finally:
            holder.commit()
        (result,) = waiting.result()
        return result


def test_of_two_runs_at_once_one_writes_each_statement_and_counts_its_wagers(may: May, patient: str) -> None:
    done = at_once_behind(may.database, may.last, patient, [may.write, may.write])
    assert sorted(batch.written for batch in done if isinstance(batch, writing.Batch)) == [0, 5], done
    assert may.written() == may.expected
    assert may.count(outbox, outbox.c.kind == "statement_written") == 5
    with may.database.connect() as connection:
        closings = sa.select(link_periods.c.closing).where(link_periods.c.user_id >= may.people[0].id)
        assert sorted(connection.scalars(closings)) == [110, 120, 130, 140, 150]


def test_a_run_that_ends_halfway_leaves_nothing_and_the_next_one_writes_all(may: May, patient: str) -> None:
    def end() -> None:
        with may.database.connect() as connection:
            assert connection.scalars(WAITING).all() == [True]

    assert isinstance(behind(may, patient, end), Exception)
    assert (may.written(), may.count(outbox), may.count(link_periods, link_periods.c.closing.is_not(None))) == (
        [],
        0,
        0,
    )
    (batch,) = at_once(patient, [may.write])
    assert isinstance(batch, writing.Batch), batch
    assert (batch.written, may.written()) == (5, may.expected)


def test_a_fall_that_is_accepted_meanwhile_takes_no_wagers_of_the_next_month(
    may: May, members: Members, functions: Functions, patient: str
) -> None:
    staff, uid = members.staff(), may.uids[-1]
    caller = Caller(staff.id, staff.session_id, "test")
    may.ingesting.ingest(JUNE, {uid: "30"})

    def accept() -> None:
        with may.database.begin() as connection:
            acceptance.accept_fall(connection, caller, uid, Decimal(30), "It is right.", now=JUNE + DAY)

    batch = behind(may, patient, accept)
    assert (batch.written, may.written()) == (5, may.expected)
    may.ingesting.ingest(JUNE + 2 * DAY, {uid: "37"})
    functions.invoke("write_statements", {}, now=JULY)
    assert may.written(JUNE) == [(may.people[-1].id, Decimal(7))]


def test_a_member_who_is_erased_meanwhile_gets_no_statement(may: May, patient: str) -> None:
    with ThreadPoolExecutor(1) as pool, may.database.connect() as erasing:
        erasing.execution_options(isolation_level="READ COMMITTED")
        erasing.execute(may.last.with_for_update()).one()
        waiting = pool.submit(at_once, patient, [may.write])
        try:
            await_waiting(may.database, 1)
            erasing.execute(sa.update(users).where(users.c.id == may.people[-1].id).values(erased_at=JUNE))
        finally:
            erasing.commit()
        (batch,) = waiting.result()
    assert isinstance(batch, writing.Batch), batch
    assert (batch.written, may.written()) == (4, may.expected[:-1])

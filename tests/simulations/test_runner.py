"""The runner of simulations notices what a second run, or a killed one, leaves behind."""

import os
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import pytest
import sqlalchemy as sa

from goatedvips import db
from goatedvips.errors import Conflict
from goatedvips.models.operations import audit_log
from tests.simulations.runner import Runner
from tests.support.members import Members
from tests.support.stack import Stack

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def add(connection: sa.Connection, *, staff_id: int, action: str = "test") -> None:
    """Add a row at each run."""
    row = {"staff_id": staff_id, "action": action, "subject_id": 1, "request_id": "test", "created_at": NOW}
    connection.execute(sa.insert(audit_log).values(row))


def add_once(connection: sa.Connection, *, staff_id: int, action: str = "test", refuses: bool = False) -> None:
    """Add a row unless it is there."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(7)))
    rows = sa.select(audit_log).where(audit_log.c.staff_id == staff_id, audit_log.c.action == action)
    if connection.execute(rows).first() is None:
        add(connection, staff_id=staff_id, action=action)
        time.sleep(0.02)
    elif refuses:
        raise Conflict


def add_by_halves(connection: sa.Connection, *, staff_id: int) -> None:
    """Add two rows, unless they are there, in a transaction each."""
    other = db.make_engine(connection.engine.url.render_as_string(hide_password=False))
    with other.begin() as first:
        add_once(first, staff_id=staff_id)
    other.dispose()
    add_once(connection, staff_id=staff_id, action="other")


@pytest.fixture
def runner(servers: Stack) -> Iterator[Runner]:
    runner = Runner(servers, os.environ["TEST_DATABASE"], random.Random(3), kills=0)
    yield runner
    runner.close()


def count(database: sa.Engine, staff_id: int) -> int:
    rows = sa.select(sa.func.count()).where(audit_log.c.staff_id == staff_id)
    with database.connect() as connection:
        return int(connection.execute(rows).scalar_one())


@pytest.mark.parametrize("refuses", [False, True])
def test_a_job_that_counts_once_is_done_once_in_each_way(
    runner: Runner, members: Members, database: sa.Engine, refuses: bool
) -> None:
    for _ in range(20):
        staff_id = members.staff().id
        runner.run(partial(add_once, staff_id=staff_id, refuses=refuses))
        assert count(database, staff_id) == 1
    assert {"once", "twice", "at once"} <= set(runner.counts)


def test_a_second_run_that_changes_something_is_noticed(runner: Runner, members: Members) -> None:
    with pytest.raises(AssertionError, match="a second run"):
        runner._repeat(partial(add, staff_id=members.staff().id), "api")


def test_a_killed_job_has_done_all_or_nothing(runner: Runner, members: Members, database: sa.Engine) -> None:
    while runner.counts["killed within a transaction"] < 5:
        staff_id = members.staff().id
        runner._kill(partial(add_once, staff_id=staff_id, refuses=True), "api")
        assert count(database, staff_id) == 1


def test_a_killed_job_that_has_done_a_part_is_noticed(runner: Runner, members: Members) -> None:
    with pytest.raises(AssertionError, match="a part of its work"):
        for _ in range(20):
            runner._kill(partial(add_by_halves, staff_id=members.staff().id), "api")

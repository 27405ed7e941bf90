"""Fixtures of the tests of concurrency."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support import stack

DOOR = """
CREATE TABLE door (id integer);
INSERT INTO door VALUES (1);
CREATE FUNCTION enter() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN PERFORM FROM door FOR SHARE; RETURN NEW; END $$;
CREATE TRIGGER enter BEFORE INSERT ON attempts FOR EACH ROW EXECUTE FUNCTION enter();
"""


@pytest.fixture
def direct(servers: stack.Stack) -> str:
    """The worker's database with the role of functions, past the pooler, which lends too few connections."""
    return servers.direct(os.environ["TEST_DATABASE"], "api")


@pytest.fixture
def patient(servers: stack.Stack) -> str:
    """As `direct`, with the role that has a longer lock time-out, for many sessions that wait for one lock."""
    return servers.direct(os.environ["TEST_DATABASE"], "jobs")


@pytest.fixture
def door(database: sa.Engine) -> Iterator[sa.Select[Any]]:
    """A row that a trigger locks before each insert into attempts, so that a test can delay these inserts."""
    with database.connect() as connection:
        connection.execute(sa.text(DOOR))
    yield sa.select(sa.table("door", sa.column("id")))
    with database.connect() as connection:
        connection.execute(sa.text("DROP TRIGGER enter ON attempts; DROP FUNCTION enter; DROP TABLE door"))

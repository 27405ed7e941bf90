"""What tests of concurrency share."""

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
    """The worker's database as functions enter it, for more connections than the pooler lends."""
    return servers.direct(os.environ["TEST_DATABASE"], "api")


@pytest.fixture
def patient(servers: stack.Stack) -> str:
    """As `direct`, by the role that waits longer for a lock: for many who wait behind one."""
    return servers.direct(os.environ["TEST_DATABASE"], "jobs")


@pytest.fixture
def door(database: sa.Engine) -> Iterator[sa.Select[Any]]:
    """A row that whoever counts an attempt needs, after having looked how many there are."""
    with database.connect() as connection:
        connection.execute(sa.text(DOOR))
    yield sa.select(sa.table("door", sa.column("id")))
    with database.connect() as connection:
        connection.execute(sa.text("DROP TRIGGER enter ON attempts; DROP FUNCTION enter; DROP TABLE door"))

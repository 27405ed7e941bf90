"""Fixtures of export and erasure."""

import pytest
import sqlalchemy as sa

from tests.support.lives import Life, live
from tests.support.members import Members


@pytest.fixture
def life(database: sa.Engine, members: Members) -> Life:
    """A member with rows in every table, and another staff member, so that nobody here is the last one."""
    members.staff()
    return live(database, members)

"""What each request costs on the wire, on a warm connection through the pooler."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from goatedvips import db
from goatedvips.domain import wheel

from tests import stack
from tests.members import Member, Members
from tests.requests import Functions
from tests.wire import Wire


@pytest.fixture
def wire(servers: stack.Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """Lead the handlers through a counter."""
    wire = Wire(servers.pooler or servers.postgres)
    url = sa.make_url(os.environ["DATABASE_URL"]).set(port=wire.port)
    engine = db.make_engine(url.render_as_string(hide_password=False))
    monkeypatch.setattr(db, "engine", lambda: engine)
    with db.reading() as connection:
        connection.execute(sa.text("select 1"))
    yield wire
    engine.dispose()
    wire.close()


def trips(wire: Wire, functions: Functions, name: str, status: int, **changes: Any) -> int:
    """The round trips of a call that must be answered so."""
    before = wire.trips
    answer = functions.call(name, **changes)
    assert answer.status == status, answer.text
    return wire.trips - before


@pytest.mark.parametrize("drawn", [0, 6], ids=["win", "loss"])
def test_a_spin_takes_two_trips_and_four_with_a_key(
    wire: Wire, functions: Functions, members: Members, monkeypatch: pytest.MonkeyPatch, drawn: int
) -> None:
    monkeypatch.setattr(wheel, "draw", lambda *_: drawn)
    assert trips(wire, functions, "spin_wheel", 201, by=members.new()) == 2
    assert trips(wire, functions, "spin_wheel", 201, by=members.new(), headers={"idempotency-key": "k"}) == 4


def test_a_wheel_is_read_in_one_trip(wire: Wire, functions: Functions, members: Members) -> None:
    assert trips(wire, functions, "get_wheel", 200) == 1
    assert trips(wire, functions, "get_my_wheel", 200, by=members.new()) == 1

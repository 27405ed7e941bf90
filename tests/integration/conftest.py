"""Fixtures that tests of several domains share."""

import os
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.support import stack
from tests.support.wire import Wire


@pytest.fixture
def wire(servers: stack.Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The handlers' connections to the database, to be counted and cut."""
    from goatedvips import db  # noqa: PLC0415 - it reads settings that pytest_configure makes after this import

    wire = Wire(servers.postgres)
    url = sa.make_url(os.environ["DATABASE_URL"]).set(port=wire.port)
    engine = db.make_engine(url.render_as_string())
    monkeypatch.setattr(db, "engine", lambda: engine)
    yield wire
    engine.dispose()
    wire.close()

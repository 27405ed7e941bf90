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
    from tests.support.edges import use  # noqa: PLC0415 - it reads settings that pytest_configure makes after this

    wire = Wire(servers.postgres)
    url = sa.make_url(os.environ["DATABASE_URL"]).set(port=wire.port)
    engine = use(monkeypatch, url.render_as_string())
    yield wire
    engine.dispose()
    wire.close()

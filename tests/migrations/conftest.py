"""Databases for the tests of migrations, and one that was adopted while the legacy application ran."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import stack
from tests.support.databases import AWKWARD_ROWS, bare_server, database, guide_url, url
from tests.support.legacy import application
from tests.support.legacy.application import Adopted, LegacyApplication

__all__ = ["bare_server", "database", "guide_url", "url"]


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the legacy application's packages once: tests that use them share one worker, xdist's group `node`."""
    return application.install(tmp_path_factory.mktemp("guide"))


@pytest.fixture(scope="session")
def adopted(packages: Path, servers: stack.Stack) -> Iterator[Adopted]:
    """Take over a database with awkward rows and 100,000 members, once, on the servers that functions are tested on."""
    with application.adopted(packages, servers, AWKWARD_ROWS) as made:
        yield made


@pytest.fixture
def old(adopted: Adopted) -> LegacyApplication:
    """The application that came with it, still running."""
    return adopted.old

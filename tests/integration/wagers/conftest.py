"""Fixtures: the bucket and the affiliate API, and functions that are told where they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import feeds
from tests.support.feeds import FeedStack


@pytest.fixture
def feed_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FeedStack]:
    """An affiliate API that works and an empty bucket, for the functions of this process."""
    from goatedvips.clients import s3, secrets  # noqa: PLC0415 - it reads settings that pytest_configure makes later
    from goatedvips.config import settings  # noqa: PLC0415

    with feeds.run(tmp_path) as stack:
        for name, value in stack.variables.items():
            monkeypatch.setenv(name, value)
            if hasattr(settings, name.lower()):
                monkeypatch.setattr(settings, name.lower(), value)
        s3.client.cache_clear()
        secrets._client.cache_clear()
        yield stack
        s3.client.cache_clear()
        secrets._client.cache_clear()

"""What tests of concurrency share."""

import os

import pytest

from tests import stack


@pytest.fixture
def direct(servers: stack.Stack) -> str:
    """The worker's database as functions enter it, for more connections than the pooler lends."""
    return servers.direct(os.environ["TEST_DATABASE"], "api")

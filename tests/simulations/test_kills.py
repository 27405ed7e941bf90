"""`make simulate WHAT=kills`, in a small size."""

import os
import secrets
from collections.abc import Callable

import pytest

from tests.simulations import kills
from tests.support import stack

FIXED_SEED = 21


@pytest.mark.parametrize("seed", [FIXED_SEED, None], ids=["fixed seed", "random seed"])
def test_killed_processes_lose_and_double_nothing(
    servers: stack.Stack, seed: int | None, record_property: Callable[[str, object], None]
) -> None:
    number = secrets.randbelow(2**32) if seed is None else seed
    record_property("seed", number)
    summary = kills.run(servers, os.environ["TEST_DATABASE"], size=60, seed=number)
    assert summary.startswith("30 spins and 30 claims, ")

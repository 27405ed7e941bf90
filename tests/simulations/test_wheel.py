"""`make simulate WHAT=wheel`, in a small size."""

import os
import secrets
from collections.abc import Callable

import pytest

from tests.simulations import wheel
from tests.support import stack

FIXED_SEED = 21


@pytest.mark.parametrize("seed", [FIXED_SEED, None], ids=["fixed seed", "random seed"])
def test_every_spin_of_a_week_is_reproduced(
    servers: stack.Stack, seed: int | None, record_property: Callable[[str, object], None]
) -> None:
    number = secrets.randbelow(2**32) if seed is None else seed
    record_property("seed", number)
    summary = wheel.run(servers, os.environ["TEST_DATABASE"], size=50, seed=number, days=7)
    assert summary.startswith("50 members, 7 days: ")

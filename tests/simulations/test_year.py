"""`make simulate WHAT=year`, in a small size."""

import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.simulations import year
from tests.support import stack

FIXED_SEED = 24
START = datetime(2030, 1, 28, tzinfo=UTC)  # the month ends within the days
HAPPENED = (
    "at once",
    "ended exclusions",
    "ended links",
    "erased uids taken up",
    "erasures",
    "exclusions",
    "late answers",
    "links",
    "repeated answers",
    "statements",
    "suspensions",
    "tiers reached",
    "tiers recorded silently",
    "twice",
)


@pytest.mark.parametrize("seed", [FIXED_SEED, None], ids=["fixed seed", "random seed"])
def test_tiers_of_a_week_are_those_of_the_plain_computation(
    servers: stack.Stack, seed: int | None, record_property: Callable[[str, object], None]
) -> None:
    number = secrets.randbelow(2**32) if seed is None else seed
    record_property("seed", number)
    name = os.environ["TEST_DATABASE"]
    summary = year.run(servers, name, size=50, seed=number, start=START, days=7, feeds=4)
    print(summary)
    if seed is not None:
        assert [kind for kind in HAPPENED if f" {kind}" not in summary] == []

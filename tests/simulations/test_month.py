"""`make simulate WHAT=month`, in a small size."""

import os
import secrets
from collections.abc import Callable

import pytest

from tests.simulations import month
from tests.support import stack

FIXED_SEED = 22
HAPPENED = (
    "accepted falls",
    "answers ingested by the handler",
    "answers that are no feed",
    "at once",
    "cancelled races",
    "changes before a settlement",
    "disqualifications",
    "ended exclusions",
    "ended links",
    "ends that moved",
    "erased uids taken up",
    "erasures",
    "exclusions",
    "feeds that are not whole",
    "forced settlements",
    "handlers killed within a transaction",
    "killed within a transaction",
    "late answers",
    "late joins",
    "leaves",
    "links",
    "members tied",
    "newcomers",
    "points of histories",
    "races without a rank",
    "raised pools",
    "refusals",
    "repeated answers",
    "settlements a day late",
    "suspensions",
    "twice",
)


@pytest.mark.parametrize("seed", [FIXED_SEED, None], ids=["fixed seed", "random seed"])
def test_races_of_three_days_settle_to_the_plain_computation(
    servers: stack.Stack, seed: int | None, record_property: Callable[[str, object], None]
) -> None:
    number = secrets.randbelow(2**32) if seed is None else seed
    record_property("seed", number)
    summary = month.run(servers, os.environ["TEST_DATABASE"], size=200, seed=number, days=3, kills=15)
    print(summary)
    if seed is not None:
        assert [kind for kind in HAPPENED if f" {kind}" not in summary] == []

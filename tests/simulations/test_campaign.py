"""`make simulate WHAT=campaign`, in a small size."""

import os
import secrets
from collections.abc import Callable

from tests.simulations import campaign
from tests.support import stack


def test_who_left_a_campaign_gets_nothing(servers: stack.Stack, record_property: Callable[[str, object], None]) -> None:
    seed = secrets.randbelow(2**32)
    record_property("seed", seed)
    summary = campaign.run(servers, os.environ["TEST_DATABASE"], size=40, seed=seed, kills=1)
    assert summary.startswith("40 people left: ")

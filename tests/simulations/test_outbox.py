"""`make simulate WHAT=outbox`, in a small size."""

import os
import secrets
from collections.abc import Callable

from tests.simulations import outbox
from tests.support import stack


def test_four_senders_of_whom_one_is_killed_send_each_mail(
    servers: stack.Stack, record_property: Callable[[str, object], None]
) -> None:
    seed = secrets.randbelow(2**32)
    record_property("seed", seed)
    summary = outbox.run(servers, os.environ["TEST_DATABASE"], size=100, seed=seed)
    assert summary.startswith("100 mails by 4 senders, of whom one was killed with ")

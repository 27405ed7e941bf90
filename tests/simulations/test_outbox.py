"""`make simulate WHAT=outbox`, in a small size."""

import os
import secrets

from tests.simulations import outbox
from tests.support import stack


def test_four_senders_of_whom_one_is_killed_send_each_mail(servers: stack.Stack) -> None:
    seed = secrets.randbelow(2**32)
    print(f"SEED={seed}")
    summary = outbox.run(servers, os.environ["TEST_DATABASE"], size=100, seed=seed)
    assert summary.startswith("100 mails by 4 senders, of whom one was killed with ")

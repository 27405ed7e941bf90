"""What the fork server imports, so that each process that calls a handler starts with it."""

from tests.concurrency import together  # noqa: F401
from tests.support.functions import load

load("spin_wheel")
load("log_in")
load("change_password")
load("claim_code")

"""What a process that calls a handler has imported before it is forked."""

from tests.concurrency import together  # noqa: F401
from tests.support.functions import load

load("spin_wheel")
load("log_in")
load("change_password")

"""Seconds of the processor, of this process and of its server process together; other work hardly changes them."""

import os
from collections.abc import Callable
from pathlib import Path
from time import process_time

TICK = os.sysconf("SC_CLK_TCK")


def measure(pid: int, work: Callable[[], object]) -> float:
    """Return the seconds that some work takes in this process and in another.

    Parameters
    ----------
    pid: of the server process that works for this one.
    """
    before = process_time() + _seconds_of(pid)
    work()
    return process_time() + _seconds_of(pid) - before


def _seconds_of(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / TICK

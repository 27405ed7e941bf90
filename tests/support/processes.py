"""Processes for tests, each forked from a server that has imported before what they need."""

import multiprocessing
import os
import sys
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext

PRELOADED = ["tests.concurrency.preloaded", "tests.simulations.runner", "tests.simulations.kills"]
PRELOADED += ["tests.simulations.functions"]


@cache
def fork_server() -> ForkServerContext:
    """Start the server, once in a process.

    It gets PYTHONPATH, because Python 3.13.0 starts it without this process's `sys.path`: it then finds none of the
    modules, says nothing, and each new process imports them for itself.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return context

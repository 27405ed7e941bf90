"""Measure whether the durations of requests reveal which of two kinds they are, for the timing benchmarks.

An attacker can choose a threshold and assign all slower requests to one kind, and all faster ones to the other. The
best threshold, which is computed from the measured durations, must assign at most `HIGHEST_ACCURACY` of the requests to
the right kind. If the two distributions are equal, its accuracy is about 52 % for 2,000 pairs.
"""

import io
import os
import random
import secrets
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from time import perf_counter
from typing import Any

import sqlalchemy as sa

from tests.support import stack
from tests.support.functions import Context, event, function_name, load

PAIRS = int(os.environ.get("PAIRS", "2000"))
HIGHEST_ACCURACY = 0.55
WARM_UP = 5  # pairs that do not count
DATABASE = "timing"


@contextmanager
def database() -> Iterator[sa.Engine]:
    """Start the servers of the tests with a new database, configure the functions, and yield the owner's engine."""
    with tempfile.TemporaryDirectory() as folder, stack.run(Path(folder)) as servers:
        stack.copy(servers, DATABASE)
        stack.configure(servers, DATABASE)
        os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"
        url = sa.make_url(servers.direct(DATABASE)).set(drivername="postgresql+pg8000")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        yield engine
        engine.dispose()


def measure_pairs(
    function: str,
    bodies: Callable[[int], Sequence[object]],
    expected: str,
    pairs: int = PAIRS,
    clock: Callable[[], float] = perf_counter,
) -> tuple[list[float], list[float]]:
    """Call a function with two bodies in random order, each from its own network; return the seconds of both.

    Parameters
    ----------
    bodies: a function from the number of a pair to its two bodies.
    expected: a text that every answer's body contains.

    Raises
    ------
    RuntimeError: an answer does not contain `expected`.
    """
    handler, network = load(function).handler, secrets.randbelow(2**32)
    context: Any = Context(function_name(function), "timing")
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(-WARM_UP, pairs):
        sides = list(enumerate(bodies(number)))
        random.shuffle(sides)
        for side, body in sides:
            address = f"2001:{network >> 16:x}:{network & 0xFFFF:x}:{2 * number + side & 0xFFFF:x}::1"
            request = event(function, body=body, address=address)
            started = clock()
            answer = handler(request, context)
            seconds = clock() - started
            if expected not in answer["body"]:
                raise RuntimeError(answer["body"])
            if number >= 0:
                times[side].append(seconds)
    return times


def report(name: str, function: str, bodies: Callable[[int], Sequence[object]], expected: str) -> bool:
    """Measure, print a line, and return whether the durations reveal the kind."""
    with redirect_stdout(io.StringIO()):  # the metrics
        one, other = measure_pairs(function, bodies, expected)
    accuracy = best_threshold(one, other)
    medians = [sorted(times)[len(times) // 2] * 1000 for times in (one, other)]
    print(f"{name:28}{medians[0]:9.2f} ms{medians[1]:9.2f} ms{accuracy:9.1%}  of {HIGHEST_ACCURACY:.0%}", flush=True)
    return accuracy > HIGHEST_ACCURACY


def best_threshold(one: list[float], other: list[float]) -> float:
    """Return the share of durations that the best threshold assigns to the right one of two samples of equal size."""
    one, other = sorted(one), sorted(other)
    shares = [(bisect_right(one, time) - bisect_right(other, time)) / len(one) for time in one + other]
    return 0.5 + max(map(abs, shares)) / 2

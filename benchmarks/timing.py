"""Whether the time of an answer reveals what the answer does not say (`make bench WHAT=timing`).

Each question has two kinds of requests that are answered alike, such as a log-in by a name that has an account and by
one that has none. 2,000 pairs of them go through the real handler, the pooler and PostgreSQL, in random order.

An attacker can choose a threshold and assign all slower requests to one kind, and all faster ones to the other. The
best threshold, which is computed from the measured durations, must assign at most `HIGHEST_ACCURACY` of the requests to
the right kind. If the two distributions are equal, its accuracy is about 52 % for 2,000 pairs.

ARGS="codes" asks only the questions about codes, PAIRS=… takes another number of pairs. `benchmarks.timing_questions`
has the questions. The status is 1 if the durations reveal the kind.
"""

import io
import os
import random
import secrets
import sys
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from time import perf_counter
from typing import Any

import sqlalchemy as sa

from benchmarks.timing_questions import QUESTIONS, Question
from tests.support import stack
from tests.support.functions import Context, event, function_name, load

PAIRS = int(os.environ.get("PAIRS", "2000"))
HIGHEST_ACCURACY = 0.55
WARM_UP = 5  # pairs that do not count
DATABASE = "timing"


def main(chosen: list[str]) -> int:
    """Ask the questions, print a line for each, and return the process's status."""
    if unknown := set(chosen) - QUESTIONS.keys():
        sys.exit(f"There are no questions about {', '.join(sorted(unknown))}, only about {', '.join(QUESTIONS)}.")
    with database() as engine:
        revealed = [
            is_revealed(question)
            for name in chosen or QUESTIONS
            for question in QUESTIONS[name](engine, PAIRS + WARM_UP)
        ]
    return int(any(revealed))


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


def is_revealed(question: Question) -> bool:
    """Measure, print a line, and return whether the durations reveal the kind."""
    with redirect_stdout(io.StringIO()):  # the metrics
        one, other = measure_pairs(question, PAIRS)
    accuracy = best_threshold(one, other)
    medians = [sorted(times)[len(times) // 2] * 1000 for times in (one, other)]
    figures = f"{medians[0]:9.2f} ms{medians[1]:9.2f} ms{accuracy:9.1%}  of {HIGHEST_ACCURACY:.0%}"
    print(f"{question.name:36}{figures}", flush=True)
    return accuracy > HIGHEST_ACCURACY


def measure_pairs(
    question: Question, pairs: int, clock: Callable[[], float] = perf_counter
) -> tuple[list[float], list[float]]:
    """Send both requests of each pair in random order, each from its own network; return the seconds of both kinds.

    Raises
    ------
    RuntimeError: an answer does not contain the expected text.
    """
    handler, network = load(question.function).handler, secrets.randbelow(2**32)
    context: Any = Context(function_name(question.function), "timing")
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(-WARM_UP, pairs):
        sides = list(enumerate(question.pair(number)))
        random.shuffle(sides)
        for side, changes in sides:
            address = f"2001:{network >> 16:x}:{network & 0xFFFF:x}:{2 * number + side & 0xFFFF:x}::1"
            request = event(question.function, address=address, **changes)
            started = clock()
            answer = handler(request, context)
            seconds = clock() - started
            if question.expected not in answer["body"]:
                raise RuntimeError(answer["body"])
            if number >= 0:
                times[side].append(seconds)
    return times


def best_threshold(one: list[float], other: list[float]) -> float:
    """Return the share of durations that the best threshold assigns to the right one of two samples of equal size."""
    one, other = sorted(one), sorted(other)
    shares = [(bisect_right(one, time) - bisect_right(other, time)) / len(one) for time in one + other]
    return 0.5 + max(map(abs, shares)) / 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Whether the time that a refused log-in takes tells if the account exists (`make bench WHAT=log_in_timing`).

Pairs of log-ins with a wrong password go through the real handler, the pooler and PostgreSQL: one by the name of an
account, one by a name that nobody has, in random order within a pair, each from an address of its own.  Whoever wants
to tell them apart chooses a time, and takes what is slower, or what is faster, for an account.  The best such time,
chosen afterwards, must not be right in more than 55 % of the log-ins; of two equal distributions it is in some 52 % of
2,000 pairs.  Both formats that a password is stored in are measured; PAIRS=… takes another number.
"""

import io
import os
import random
import secrets
import sys
import tempfile
from bisect import bisect_right
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from time import perf_counter

import sqlalchemy as sa

from tests.support import stack
from tests.support.functions import Context, event, load

PAIRS = int(os.environ.get("PAIRS", "2000"))
MOST_RIGHT = 0.55
ACCOUNTS = 20
WARM_UP = 5  # pairs that do not count
PASSWORD, WRONG = "goats like long walks", "sheep prefer short ones"
DATABASE = "log_in_timing"


def main() -> int:
    """Measure each format, print a line for each, and return the process's status."""
    with tempfile.TemporaryDirectory() as folder, stack.run(Path(folder)) as servers:
        stack.copy(servers, DATABASE)
        stack.configure(servers, DATABASE)
        os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"
        print(f"{'stored as':12}{'known ms':>10}{'unknown ms':>12}{'best threshold':>16}   (medians of {PAIRS} pairs)")
        failed = [measured(servers, "argon2id", legacy=False), measured(servers, "scrypt", legacy=True)]
    print(f"limit: {MOST_RIGHT:.0%}")
    return int(any(failed))


def measured(servers: stack.Stack, stored_as: str, *, legacy: bool) -> bool:
    """Measure accounts whose passwords are stored in one format; return whether they can be told from none."""
    from goatedvips.domain.accounts import passwords  # noqa: PLC0415 - these read the settings, made above
    from tests.support.members import Members  # noqa: PLC0415

    address = sa.make_url(servers.direct(DATABASE)).set(drivername="postgresql+pg8000")
    database = sa.create_engine(address, isolation_level="AUTOCOMMIT")
    stored = [passwords.hash_password(PASSWORD, legacy=legacy) for _ in range(ACCOUNTS)]
    accounts = [Members(database).new(password=password).username for password in stored]
    database.dispose()
    with redirect_stdout(io.StringIO()):  # the metrics
        known, unknown = refusals(accounts, PAIRS, perf_counter)
    right = best_threshold(known, unknown)
    medians = [sorted(taken)[len(taken) // 2] * 1000 for taken in (known, unknown)]
    print(f"{stored_as:12}{medians[0]:10.2f}{medians[1]:12.2f}{right:16.1%}", flush=True)
    return right > MOST_RIGHT


def refusals(accounts: list[str], pairs: int, clock: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Log in with a wrong password by these names, and in turns by others as long; return the seconds of each."""
    handler, network = load("log_in").handler, secrets.randbelow(2**32)
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(-WARM_UP, pairs):
        name = accounts[number % len(accounts)]
        sides = [(0, name), (1, f"nobody-{secrets.token_hex(16)}"[: len(name)])]
        random.shuffle(sides)
        for side, login in sides:
            address = f"2001:{network >> 16:x}:{network & 0xFFFF:x}:{2 * number + side & 0xFFFF:x}::1"
            request = event("log_in", body={"login": login, "password": WRONG}, address=address)
            started = clock()
            answer = handler(request, Context("LogInFunction", "timing"))
            taken = clock() - started
            if "invalid_credentials" not in answer["body"]:
                raise RuntimeError(answer["body"])
            if number >= 0:
                times[side].append(taken)
    return times


def best_threshold(one: list[float], other: list[float]) -> float:
    """How often the best threshold is right that tells two samples of one size apart, in either direction."""
    one, other = sorted(one), sorted(other)
    shares = [(bisect_right(one, time) - bisect_right(other, time)) / len(one) for time in one + other]
    return 0.5 + max(map(abs, shares)) / 2


if __name__ == "__main__":
    sys.exit(main())

"""Claims of one unlimited code compared with claims of different codes (`make bench WHAT=claims`).

1,000 members claim at once from two processes with eight connections each, on a server that writes COMMIT to the disk.
All claims of one code update one row, so each waits for the COMMIT of the one before it. The throughput must still be
half of that of claims of different codes; both are measured in turns. ROUNDS=… takes another number of turns. The
status is 1 if the limit is missed, a claim fails, or the counter of the code is not exact.
"""

import os
import secrets
import statistics
import sys
import tempfile
from pathlib import Path

import sqlalchemy as sa

from benchmarks.claim_together import Claimed, claim_all, new_callers
from benchmarks.report import Line, print_heading, show_all
from database.embedded import running
from migrations.roles_and_timeouts import ensure_roles
from migrations.upgrade import engine, upgrade

MEMBERS, ROUNDS = 1_000, int(os.environ.get("ROUNDS", "5"))
LEAST_RATIO = 0.5
NEW_CODES = """
INSERT INTO bonus_codes (code, code_key, expires_at, value, max_claims)
SELECT :prefix || n, :prefix || n, '2999-01-01', 5, NULL FROM generate_series(1, :count) n RETURNING code
"""
COUNTER = "SELECT claims FROM bonus_codes WHERE code = :code"


def main() -> int:
    """Measure, print a line, and return the process's status."""
    one, different = [], []
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "postgres") as server:
        upgrade(server.url("postgres"))
        database = engine(server.url("postgres"))
        with database.begin() as connection:
            ensure_roles(connection)
        autocommit = database.execution_options(isolation_level="AUTOCOMMIT")
        for _ in range(ROUNDS):
            one.append(measure(autocommit, server.url("postgres", "api"), 1))
            different.append(measure(autocommit, server.url("postgres", "api"), MEMBERS))
        database.dispose()
    rates = [[MEMBERS / claimed.seconds for claimed in claims] for claims in (one, different)]
    ratio = statistics.median(shared / own for shared, own in zip(*rates, strict=True))
    noise = max(rates[1]) / min(rates[1])
    detail = f"{statistics.median(rates[0]):.0f} and {statistics.median(rates[1]):.0f} claims a second"
    print_heading()
    missed = show_all(
        [Line("claims of one code ÷ of different ones", ratio, LEAST_RATIO, noise=noise, detail=detail, at_least=True)]
    )
    return int(missed)


def measure(database: sa.Engine, url: str, codes: int) -> Claimed:
    """Let new members claim as many new codes in turn.

    Raises
    ------
    RuntimeError: a claim failed, or a counter is not the number of claims.
    """
    callers = new_callers(database, MEMBERS)
    with database.connect() as connection:
        parameters = {"prefix": secrets.token_hex(6).upper(), "count": codes}
        names = list(connection.scalars(sa.text(NEW_CODES), parameters))
    claimed = claim_all(url, [(caller, names[number % codes]) for number, caller in enumerate(callers)])
    with database.connect() as connection:
        counted = sum(connection.scalar(sa.text(COUNTER), {"code": name}) for name in names)
    if claimed.failures or counted != MEMBERS:
        raise RuntimeError(f"{counted} of {MEMBERS} claims were counted, {claimed.failures[:3]}")
    return claimed


if __name__ == "__main__":
    sys.exit(main())

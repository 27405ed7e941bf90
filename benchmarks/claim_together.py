"""Claims by many members at once, from several processes with several connections each."""

import multiprocessing
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Barrier
from time import perf_counter
from typing import Any

import sqlalchemy as sa

from goatedvips.domain.access import Caller

PROCESSES, CONNECTIONS = 2, 8
NEW_MEMBERS = """
WITH member AS (
    INSERT INTO users (username, username_key, email, email_key, email_verified, password)
    SELECT name, name, name || '@example.com', name || '@example.com', true, 'unusable'
    FROM (SELECT :prefix || '-' || n AS name FROM generate_series(1, :count) n) names
    RETURNING id
)
INSERT INTO sessions (user_id, token_hash, created_at, expires_at)
SELECT id, sha256(convert_to(:prefix || id, 'UTF8')), now(), now() + interval '30 days' FROM member
RETURNING id, user_id
"""
type Work = tuple[Caller, str]


@dataclass(frozen=True)
class Claimed:
    """What became of the claims.

    Parameters
    ----------
    claims: how many succeeded.
    failures: what the others raised.
    seconds: from the moment when all connections were ready to the last answer.
    """

    claims: int
    failures: list[str]
    seconds: float


def new_callers(database: sa.Engine, count: int) -> list[Caller]:
    """Insert as many members with a session each."""
    with database.connect() as connection:
        rows = connection.execute(sa.text(NEW_MEMBERS), {"prefix": secrets.token_hex(6), "count": count})
        return [Caller(row.user_id, row.id, "test") for row in rows]


def claim_all(url: str, works: Sequence[Work]) -> Claimed:
    """Claim each code for its member: every process takes an equal part, each of its connections one after the other.

    Parameters
    ----------
    url: of the database, with the role that functions use.
    works: who claims which code.
    """
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(PROCESSES + 1), context.SimpleQueue()
    parts = [works[number::PROCESSES] for number in range(PROCESSES)]
    processes = [context.Process(target=_claim_part, args=(url, part, ready, results)) for part in parts]
    for process in processes:
        process.start()
    ready.wait(60)
    started = perf_counter()
    found = [results.get() for _ in processes]
    seconds = perf_counter() - started
    for process in processes:
        process.join(30)
    failures = [failure for failed in found for failure in failed]
    return Claimed(len(works) - len(failures), failures, seconds)


def _claim_part(url: str, part: Sequence[Work], ready: Any, results: Any) -> None:  # noqa: ANN401 - of multiprocessing
    from goatedvips import db  # noqa: PLC0415 - this process has its own
    from goatedvips.domain.codes import claims  # noqa: PLC0415

    connected = Barrier(CONNECTIONS + 1)
    go = Barrier(CONNECTIONS + 1)

    def claim_each(number: int) -> list[str]:
        engine, failed = db.make_engine(url), []
        with engine.connect():  # connects before the start
            pass
        connected.wait(60)
        go.wait(60)
        for caller, code in part[number::CONNECTIONS]:
            try:
                with engine.begin() as connection:
                    claim = claims.claim(connection, caller, code, client_network="test", now=datetime.now(UTC))
                if not claim.created:
                    failed.append(f"{code} was claimed before")
            except Exception as error:  # noqa: BLE001 - it is the result
                failed.append(repr(error))
        engine.dispose()
        return failed

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        done = [pool.submit(claim_each, number) for number in range(CONNECTIONS)]
        connected.wait(60)
        ready.wait(60)
        go.wait(60)
        results.put([failure for each in done for failure in each.result()])

"""Runs what changes the database: once, twice, from two connections at once, or in a process that is killed.

Whichever it is, the database must be left as by one run. All reach it through PgBouncer, but for the processes that are
killed: PostgreSQL shows whether they have a transaction open.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection as Channel
from typing import Any, Literal

import sqlalchemy as sa

from goatedvips import db
from goatedvips.config import settings
from goatedvips.errors import Problem
from goatedvips.models.every import metadata
from tests.concurrency.together import at_once
from tests.support.processes import fork_server
from tests.support.stack import Stack
from tests.support.wire import Wire

LINK_DELAY = 0.002  # seconds by which the link of a process that is killed delays what it sends
LONGEST_LIFE = 0.03  # seconds that it has left once its transaction is seen open
LEFT_OUT = {"sessions", "attempts", "idempotency_records"}  # tables that runs of other things write
TRANSACTION_OF = sa.text("SELECT xact_start IS NOT NULL FROM pg_stat_activity WHERE pid = :process")
# How many rows the present transaction has written in each table; those of one right before it may be among them.
WRITTEN = sa.text("SELECT relname, n_tup_ins + n_tup_upd + n_tup_del AS count FROM pg_stat_xact_user_tables")

type Job[T] = Callable[[sa.Connection], T]
type Role = Literal["api", "jobs"]
"""With which rights and time-outs a function reaches the database."""
ROLES: tuple[Role, ...] = ("api", "jobs")


@contextmanager
def without_timeout() -> Iterator[None]:
    """Let engines that are made in the block wait for answers as long as it takes, as those of scheduled jobs do."""
    timeout, settings.database_socket_timeout = settings.database_socket_timeout, None
    try:
        yield
    finally:
        settings.database_socket_timeout = timeout


class Runner:
    """Runs jobs, each in a transaction of its own.

    Parameters
    ----------
    kills: how many jobs are to be killed, in all.
    ways: how often, relative to one another, the other jobs run once, twice, and from two connections at once.

    Attributes
    ----------
    progress: the share of the simulation that has passed. So many of the kills are due, and no more are made.
    """

    def __init__(
        self, servers: Stack, name: str, chance: random.Random, kills: int, ways: tuple[int, int, int] = (7, 2, 1)
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._chance, self._kills, self._ways = chance, kills, ways
        self.progress = 1.0
        self._killed_urls: dict[Role, str] = {role: servers.direct(name, role) for role in ROLES}
        self._urls: dict[Role, str] = {role: servers.pooled(name, role) for role in ROLES}
        with without_timeout():
            self._engines = {role: db.make_engine(url) for role, url in self._urls.items()}
        self._owner = sa.create_engine(
            servers.direct(name).replace("postgresql:", "postgresql+pg8000:"), isolation_level="AUTOCOMMIT"
        )
        self._watcher = self._owner.connect()
        self._link = Wire(servers.postgres, delay=LINK_DELAY)
        self._tables = [table.name for table in metadata.sorted_tables if table.name not in LEFT_OUT]

    def close(self) -> None:
        """Close all connections."""
        self._link.close()
        self._watcher.close()
        self._owner.dispose()
        for engine in self._engines.values():
            engine.dispose()

    def run[T](self, job: Job[T], role: Role = "api") -> T | None:
        """Run a job in one of the ways, and return what it returned. None: a killed one had done it all.

        Parameters
        ----------
        job: can be sent to another process. A second run of it may be refused.
        """
        is_due = self._kills * self.progress > self.counts["killed within a transaction"]
        if is_due and self._chance.random() < 0.5:
            return self._kill(job, role)
        way = self._chance.choices(["once", "twice", "at once"], self._ways)[0]
        self.counts[way] += 1
        if way == "at once":
            return self._run_at_once(job, role)
        result = self.once(job, role)
        if way == "twice":
            self._repeat(job, role)
        return result

    def run_in_all_ways(self, job: Job[Any], role: Role) -> None:
        """Run a job that may be run again in a process that is killed, then from two connections at once, then again.

        It is for what happens seldom, and only where anything is killed; else it runs once.
        """
        if self._kills:
            self._kill(job, role)
            self.counts["at once"] += 1
            self._run_at_once(job, role)
        else:
            self.once(job, role)

    def refuse(self, job: Job[Any], problem: type[Problem]) -> None:
        """Run a job that must be refused."""
        try:
            self.once(job)
        except problem:
            self.counts["refusals"] += 1
        else:
            raise AssertionError(f"{job} is not refused")

    def _run_at_once[T](self, job: Job[T], role: Role) -> T:
        with without_timeout():
            results = at_once(self._urls[role], [job, job])
        done = [result for result in results if not isinstance(result, Exception)]
        assert all(isinstance(result, Problem) for result in results if isinstance(result, Exception)), results
        assert done, results
        self._repeat(job, role)
        return done[0]

    def once[T](self, job: Job[T], role: Role = "api") -> T:
        """Run a job."""
        with self._engines[role].begin() as connection:
            return job(connection)

    def _repeat(self, job: Job[Any], role: Role) -> None:
        """Run a job again, which must change nothing: neither commit what it is refused, nor write another row."""
        try:
            with self._engines[role].begin() as connection:
                connection.execution_options(enclosed=True)  # so that it does not commit before it is looked at
                before = _count_written(connection)
                job(connection)
                written = _count_written(connection) - before
                tables = [table for table in self._tables if written[table]]
                old = self._digest(tables)
        except Problem:
            self.counts["refused again"] += 1
        else:
            assert self._digest(tables) == old, f"a second run of {job} changes something"

    def _kill[T](self, job: Job[T], role: Role) -> T | None:
        """Run a job in a process that is killed, and then again until its end."""
        ours, theirs = fork_server().Pipe()
        url = sa.make_url(self._killed_urls[role]).set(port=self._link.port).render_as_string(hide_password=False)
        process = fork_server().Process(target=_work, args=(url, theirs), daemon=True)
        process.start()
        theirs.close()
        session = ours.recv()
        before = self._digest(self._tables)
        ours.send(job)
        while not (in_transaction := self._is_in_transaction(session)) and not ours.poll():
            time.sleep(0.0005)
        time.sleep(self._chance.random() * LONGEST_LIFE)
        in_transaction = in_transaction and self._is_in_transaction(session)
        process.kill()
        process.join()
        self.counts["killed"] += 1
        self.counts["killed within a transaction"] += in_transaction
        while self._watcher.execute(TRANSACTION_OF, {"process": session}).first() is not None:
            time.sleep(0.001)  # until the server has noticed that its client is gone
        left = self._digest(self._tables)
        try:
            return self.once(job, role)
        except Problem as problem:
            if left == before:
                raise AssertionError(f"{job} is refused, although a killed one has done nothing") from problem
            return None
        finally:
            assert left in (before, self._digest(self._tables)), f"{job} that was killed has done a part of its work"

    def _is_in_transaction(self, session: int) -> bool:
        return bool(self._watcher.execute(TRANSACTION_OF, {"process": session}).scalar())

    def _digest(self, tables: Sequence[str]) -> dict[str, object]:
        """A figure for each table that changes with its rows, as they are committed."""
        if not tables:
            return {}
        selects = ", ".join(f"(SELECT sum(hash_record_extended(r, 0)) FROM {table} r) AS {table}" for table in tables)
        return dict(self._watcher.execute(sa.text(f"SELECT {selects}")).one()._mapping)


def _count_written(connection: sa.Connection) -> Counter[str]:
    return Counter({table: int(count) for table, count in connection.execute(WRITTEN)})


def _work(url: str, channel: Channel) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the metrics and the log
    with without_timeout():
        engine = db.make_engine(url)
    with engine.begin() as connection:
        session = connection.execute(sa.select(sa.func.pg_backend_pid())).scalar_one()
    channel.send(session)
    job = channel.recv()
    try:
        with engine.begin() as connection:
            job(connection)
    except Problem:
        pass
    channel.send(None)

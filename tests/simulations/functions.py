"""The function that ingests feeds, as Lambda runs it: its handler in processes of their own, with an object in S3.

The processes reach the database through PgBouncer. One of them is killed, and two others get the same event at once.
"""

import gzip
import hashlib
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from multiprocessing.connection import Connection as Channel
from typing import Any

import boto3  # noqa: F401 - so that the fork server has imported it
import sqlalchemy as sa

from goatedvips import clock
from goatedvips.clients import raw_feed
from goatedvips.config import settings
from goatedvips.domain.wagers.feed import FeedPage
from goatedvips.models.wagers import feeds
from local.stand_ins import s3
from local.template import FEED_BUCKET
from tests.concurrency.together import use_database
from tests.simulations.runner import without_timeout
from tests.support.feeds import FeedStack
from tests.support.functions import Context, function_name, load
from tests.support.processes import fork_server
from tests.support.stack import Stack

NAME = "ingest_wagers"
LONGEST_LIFE = 0.008  # seconds that a process has left once its transaction is seen open, for each 200 members
IN_TRANSACTION = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = :name AND usename = 'jobs' AND xact_start IS NOT NULL"
)


class IngestFunction:
    """Ingests raw feeds by the function's handler, those of so many members."""

    def __init__(
        self, servers: Stack, name: str, owner: sa.Engine, bucket: FeedStack, chance: random.Random, size: int
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._url, self._name, self._bucket, self._chance = servers.pooled(name, "jobs"), name, bucket, chance
        self._longest_life = LONGEST_LIFE * size / 200
        self._watcher = owner.connect()

    def close(self) -> None:
        """Close the connection that looks at the others."""
        self._watcher.close()

    def ingest(self, key: str, pages: Sequence[tuple[int, str]], now: datetime) -> str:
        """Put a raw feed into the bucket, and let the function ingest it: one is killed, then two do it at once.

        Returns
        -------
        The digest of the object.
        """
        content = raw_feed.encode_feed(FeedPage(number, *page) for number, page in enumerate(pages, 1))
        s3.put(self._bucket.base, FEED_BUCKET, key, content)
        event = s3.build_event(FEED_BUCKET, key, len(content), "", now)
        killed, killed_channel = self._start(now)
        killed_channel.send(event)
        while not (is_open := self._is_in_transaction()) and not killed_channel.poll():
            time.sleep(0.0005)
        time.sleep(self._chance.random() * self._longest_life)
        is_open = is_open and self._is_in_transaction()
        killed.kill()
        killed.join()
        while self._is_in_transaction():  # until the server has noticed that its client is gone
            time.sleep(0.001)
        is_done = self._watcher.execute(sa.select(feeds.c.id).where(feeds.c.key == key)).first() is not None
        both = [self._start(now) for _ in range(2)]
        for _, channel in both:
            channel.send(event)
        ingested = [channel.recv()["ingested"] for _, channel in both]
        for process, _ in both:
            process.join()
        assert sum(ingested) == (not is_done), f"{key} was ingested by {ingested}, and before: {is_done}"
        self.counts["answers ingested by the handler"] += 1
        self.counts["handlers killed within a transaction"] += is_open
        return hashlib.sha256(gzip.decompress(content)).hexdigest()

    def _start(self, now: datetime) -> tuple[Any, Channel]:
        ours, theirs = fork_server().Pipe()
        arguments = self._url, self._bucket.variables, now, theirs
        process = fork_server().Process(target=_serve, args=arguments, daemon=True)
        process.start()
        theirs.close()
        ours.recv()  # it is ready
        return process, ours

    def _is_in_transaction(self) -> bool:
        return bool(self._watcher.execute(IN_TRANSACTION, {"name": self._name}).scalar())


def _serve(url: str, variables: dict[str, str], now: datetime, channel: Channel) -> None:
    """Do what a Lambda environment does with one event, at a given instant."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the metrics and the log
    os.environ.update(variables)
    for variable, value in variables.items():
        if hasattr(settings, variable.lower()):
            setattr(settings, variable.lower(), value)
    setattr(clock, "utc_now", lambda: now)  # noqa: B010 - before the handler takes it by name
    with without_timeout():
        engine = use_database(url)
    with engine.connect():
        channel.send(None)
    handler = load(NAME).handler
    channel.send(handler(channel.recv(), Context(function_name(NAME), "simulation", seconds=60)))

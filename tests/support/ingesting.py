"""Feeds for tests, ingested straight into the database, and what the tables hold afterwards."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from goatedvips import db
from goatedvips.domain.wagers.feed import FeedPage, parse_feed
from goatedvips.domain.wagers.ingest import IngestReport, ingest_feed
from goatedvips.models import races, wagers

type Figures = str | tuple[str, str, str, str]
"""All four figures (total, today, week, month), or only the total, while the others are 0."""

TABLES = (
    races.race_boundaries,
    races.wager_race_participants,
    races.participant_changes,
    races.wager_races,
    wagers.accepted_falls,
    wagers.wager_readings,
    wagers.wager_accounts,
    wagers.feeds,
)


def key_of(requested_at: datetime, tag: str = "00000000") -> str:
    """Return the key of a raw feed."""
    at = requested_at.astimezone(UTC)
    return f"feed/{at:%Y/%m/%d/%Y%m%dT%H%M%S}{at.microsecond // 1000:03}Z-{tag}.jsonl.gz"


def body(entries: Mapping[str, Figures], bad: Iterable[str] = (), **metadata: object) -> str:
    """Return an answer of the affiliate API."""
    data: list[dict[str, object]] = []
    for uid, figures in entries.items():
        total, today, week, month = (figures, "0", "0", "0") if isinstance(figures, str) else figures
        wagered = {"today": today, "this_week": week, "this_month": month, "all_time": total}
        data.append({"uid": uid, "name": f"name of {uid}", "wagered": wagered})
    data += [{"uid": uid, "name": uid, "wagered": {"all_time": "many"}} for uid in bad]
    return json.dumps({"success": True, "data": data, "metadata": metadata})


@dataclass(frozen=True)
class Ingesting:
    """Ingests feeds, and reads what they have become."""

    database: sa.Engine

    def ingest(
        self,
        requested_at: datetime,
        entries: Mapping[str, Figures],
        *,
        bad: Iterable[str] = (),
        now: datetime | None = None,
        tag: str = "00000000",
        **metadata: object,
    ) -> IngestReport:
        """Ingest a feed in a transaction of its own, 5 seconds after its request by default."""
        return self.ingest_body(requested_at, body(entries, bad, **metadata), now=now, tag=tag)

    def ingest_body(
        self,
        requested_at: datetime,
        text: str,
        *,
        now: datetime | None = None,
        tag: str = "00000000",
        status: int = 200,
    ) -> IngestReport:
        """Ingest an answer."""
        feed = parse_feed([FeedPage(1, status, text)])
        given: dict[str, Any] = {"key": key_of(requested_at, tag), "sha256": "00", "feed": feed}
        with db.transaction() as connection:
            return ingest_feed(connection, now=now or requested_at, **given)

    def account(self, uid: str) -> Any:
        """The account with this uid; None: there is none."""
        return self._one(sa.select(wagers.wager_accounts).where(wagers.wager_accounts.c.uid == uid))

    def readings(self, uid: str) -> list[tuple[datetime, Any]]:
        """The times and totals of an account's readings."""
        readings, accounts = wagers.wager_readings, wagers.wager_accounts
        rows = (
            sa.select(readings.c.requested_at, readings.c.total)
            .join(accounts, accounts.c.id == readings.c.account_id)
            .where(accounts.c.uid == uid)
            .order_by(readings.c.requested_at)
        )
        with self.database.connect() as connection:
            return [(at, total) for at, total in connection.execute(rows)]

    def part(self, race_id: int, user_id: int) -> Any:
        """A member's participation in a race."""
        table = races.wager_race_participants
        return self._one(sa.select(table).where(table.c.race_id == race_id, table.c.user_id == user_id))

    def feed(self, requested_at: datetime, tag: str = "00000000") -> Any:
        """The row of a feed."""
        return self._one(sa.select(wagers.feeds).where(wagers.feeds.c.key == key_of(requested_at, tag)))

    def remove_all(self) -> None:
        """Remove every race, account and feed, because a feed changes all of them."""
        with self.database.connect() as connection:
            for table in TABLES:
                connection.execute(sa.delete(table))

    def _one(self, query: sa.Select[Any]) -> Any:
        with self.database.connect() as connection:
            return connection.execute(query).one_or_none()

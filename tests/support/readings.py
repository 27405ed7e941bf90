"""Feeds and readings for tests, written straight into the tables, as an ingest leaves them."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from goatedvips.models.wagers import feeds, wager_accounts, wager_readings
from tests.support.rows import insert_row

type Figures = str | tuple[str, str, str]
"""The lifetime total, or that and the totals of the week and the month."""


@dataclass(frozen=True)
class Readings:
    """Makes feeds, and the readings in them."""

    database: sa.Engine

    def remove_all(self) -> None:
        """Remove every feed, for tests of what reads all feeds of the database."""
        with self.database.begin() as connection:
            connection.execute(sa.text("TRUNCATE feeds, wager_readings, race_boundaries, accepted_falls CASCADE"))

    def feed(self, at: datetime, totals: Mapping[str, Figures] | None = None, **columns: Any) -> int:
        """Insert a feed that was requested and ingested at an instant, and return its id.

        Parameters
        ----------
        totals: of each uid in it.
        columns: of the row of the feed, where they are to be others.
        """
        given: dict[str, Any] = {
            "key": f"feed/{at:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}",
            "requested_at": at,
            "ingested_at": at,
            "sha256": secrets.token_hex(32),
            "is_whole": True,
            "entry_count": 1,
            "bad_count": 0,
            "uid_count": 1,
            "missing_count": 0,
        }
        feed_id = insert_row(self.database, feeds, **given | columns)
        for uid, figures in (totals or {}).items():
            self._read(feed_id, at, uid, figures)
        return feed_id

    def _read(self, feed_id: int, at: datetime, uid: str, figures: Figures) -> None:
        given = (figures, "0", "0") if isinstance(figures, str) else figures
        total, week, month = (Decimal(figure) for figure in given)
        of_uid = wager_accounts.c.uid == uid
        with self.database.begin() as connection:
            account = connection.execute(sa.select(wager_accounts).where(of_uid)).one_or_none()
            if account is None:
                first = {"first_seen_at": at, "total_wager": total}
                row = {"uid": uid, "wager_today": 0, "wager_week": 0, "wager_month": 0, "read_at": at} | first
                account_id = connection.execute(
                    sa.insert(wager_accounts).values(row).returning(wager_accounts.c.id)
                ).scalar_one()
                link = "UPDATE wager_accounts a SET user_id = u.id FROM users u WHERE u.uid = a.uid AND a.id = :id"
                connection.execute(sa.text(link), {"id": account_id})
            else:
                account_id = account.id
            if account is None or account.first_read_at is None:
                first = {"first_read_at": at, "first_total": total, "first_week": week, "first_month": month}
                connection.execute(sa.update(wager_accounts).where(of_uid).values(first))
            highest = sa.func.greatest(wager_accounts.c.highest, total)
            new = {"highest": highest, "total_wager": total, "wager_week": week, "wager_month": month, "read_at": at}
            connection.execute(sa.update(wager_accounts).where(of_uid).values(new))
            if account is not None and account.first_read_at is not None and account.total_wager == total:
                return
            row = {"account_id": account_id, "requested_at": at, "feed_id": feed_id, "total": total}
            connection.execute(sa.insert(wager_readings).values(row))

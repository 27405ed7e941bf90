"""The entries of a feed on their way into the database: one COPY into `feed_entries`."""

import re
from collections.abc import Iterable, Iterator
from itertools import batched, repeat

from sqlalchemy import Connection, text

from goatedvips.domain.wagers.feed import Feed

BATCH = 4_000  # rows of a block, some 400 kB
_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_NULL = r"\N"
_ROW = "\t".join(["%s"] * 6) + "\n"
# SQLAlchemy has no construct for COPY.
_copy_entries = text("COPY feed_entries (uid, name, total_wager, wager_today, wager_week, wager_month) FROM STDIN")


def stage(connection: Connection, feed: Feed) -> None:
    """Copy the entries of a feed into `feed_entries`, within a transaction; a bad one as its uid without figures.

    Whoever calls this deletes the rows before the transaction ends.
    """
    connection.execute(_copy_entries, execution_options={"copied": _blocks(feed)})


def _blocks(feed: Feed) -> Iterator[bytes]:
    """Yield rows in COPY's text format: https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2."""
    columns = (_escape(feed.uids), _escape(feed.names), feed.totals, feed.today, feed.week, feed.month)
    for rows in batched(zip(*columns, strict=True), BATCH, strict=False):
        yield "".join(map(_ROW.__mod__, rows)).encode()
    for rows in batched(zip(_escape(feed.bad_uids), *(repeat(_NULL),) * 5, strict=False), BATCH, strict=False):
        yield "".join(map(_ROW.__mod__, rows)).encode()


def _escape(texts: Iterable[str | None]) -> Iterable[str]:
    """Return the texts as COPY reads them; most feeds need nothing but the marks for null."""
    marked = [_NULL if text is None else text for text in texts]
    if not _SPECIAL.search("".join(text for text in texts if text is not None)):
        return marked
    return [_NULL if text is None else text.translate(_ESCAPES) for text in texts]

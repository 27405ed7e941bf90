"""The entries of a feed on their way into the database: one COPY into `feed_entries`, which statements read."""

import re
from collections.abc import Iterable, Iterator
from itertools import batched, repeat

from sqlalchemy import Connection, Subquery, Table, literal_column, select, text

from goatedvips.domain.wagers.feed import Feed
from goatedvips.domain.wagers.feed_figures import ZERO
from goatedvips.models.wagers import feed_entries as entries

BATCH = 4_000  # rows of a block, some 400 kB
_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_NULL, _ZERO = r"\N", "0"
_ROW = "\t".join(["%s"] * 6) + "\n"
# SQLAlchemy has no construct for either.
_empty_entries = text("TRUNCATE feed_entries")
_copy_entries = text("COPY feed_entries (uid, name, total_wager, wager_today, wager_week, wager_month) FROM STDIN")


def stage(connection: Connection, feed: Feed) -> None:
    """Copy the entries of a feed into `feed_entries`, within a transaction; a bad one as its uid without figures.

    Whoever calls this calls `clear` before the transaction ends.
    """
    connection.execute(_copy_entries, execution_options={"copied": _blocks(feed)})


def clear(connection: Connection) -> None:
    """Remove all entries. Only one ingest at a time has any, and dead rows would take the next one time."""
    connection.execute(_empty_entries)


def beside_entries(table: Table) -> Subquery:
    """Return the rows of a table with a `uid`, each beside the entry of that uid, and the entries without a row.

    Its columns are those of `feed_entries`, null without an entry, `its_uid`, and the other columns of the table, each
    with the prefix `its_`. Null in `its_uid` is an entry without a row, or a row without a uid.

    It is a full join, which PostgreSQL can execute only as a hash join or a merge join. After a VACUUM or ANALYZE it
    takes `feed_entries` for nearly empty, and would execute another join by going through all entries once for each
    row. The offset keeps it from turning this one into another.
    """
    joined = select(*entries.c, *(column.label(f"its_{column.name}") for column in table.c)).select_from(
        table.outerjoin(entries, entries.c.uid == table.c.uid, full=True)
    )
    return joined.offset(literal_column("0")).subquery("beside")


def _blocks(feed: Feed) -> Iterator[bytes]:
    """Yield rows in COPY's text format: https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2."""
    # Most figures are the same zero: as text it is written in a fraction of the time.
    four = feed.totals, feed.today, feed.week, feed.month
    figures = ([_ZERO if figure is ZERO else figure for figure in column] for column in four)
    columns = (_escape(feed.uids), _escape(feed.names), *figures)
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

"""Ingest: an affiliate feed becomes readings, totals of accounts and members, and the scores and ranks of races.

A feed is ingested in one transaction, or not at all, and only one at a time: an advisory lock is taken first.  The rows
go into `feed_entries` by one COPY, and a few statements take them from there, whatever their number.  Afterwards locks
are taken in the order that `races.boards` describes.

Feeds are ordered by the instant of their request, then by their keys, and may come in any order
and number.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    Connection,
    Integer,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain.races import boards
from goatedvips.domain.wagers import late_readings, newest_readings
from goatedvips.domain.wagers.feed import Feed, FeedProblem
from goatedvips.domain.wagers.feed_keys import requested_at_of
from goatedvips.domain.wagers.leaderboards import all_time_blocks
from goatedvips.domain.wagers.staging import beside_entries, clear, stage
from goatedvips.models.wagers import feeds
from goatedvips.models.wagers import wager_accounts as accounts

LEAST_PERCENT = 80
"""Of the uids of the last whole feed; a whole feed has at least so many of them."""
INGEST_LOCK = func.pg_advisory_xact_lock(int.from_bytes(b"feed"))
"""An advisory lock until commit: one transaction at a time writes readings. It is a statement of its own, because only
a statement that begins afterwards sees what the transaction before has written."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of a feed.

    Parameters
    ----------
    is_new: false: it was ingested before, and nothing has changed.
    is_whole: whether it counts as a state of all accounts.
    problem: why it is no feed, or not whole.
    is_late: whether a feed that was requested later was ingested before.
    entries: the number of entries, bad ones included.
    bad: the number of bad entries.
    missing: the number of uids of the last whole feed that it lacks.
    readings: how many totals have changed.
    races: how many races got new scores.
    """

    is_new: bool
    is_whole: bool = False
    problem: FeedProblem | None = None
    is_late: bool = False
    entries: int = 0
    bad: int = 0
    missing: int = 0
    readings: int = 0
    races: int = 0


_KEY = bindparam("key", type_=Text)
_AT = bindparam("at", type_=feeds.c.requested_at.type)
_PROBLEM = bindparam("problem", type_=Text)
_MOMENT = tuple_(_AT, _KEY)
_take_lock = select(INGEST_LOCK)

_last_whole_at = (
    select(feeds.c.requested_at)
    .where(feeds.c.is_whole, feeds.c.requested_at <= _AT, tuple_(feeds.c.requested_at, feeds.c.key) < _MOMENT)
    .order_by(feeds.c.requested_at.desc(), feeds.c.key.desc())
    .limit(1)
    .scalar_subquery()
)
_beside = beside_entries(accounts)
_was_in_last_whole = and_(
    _beside.c.its_first_seen_at.is_(None) | (_beside.c.its_first_seen_at <= _last_whole_at),
    _beside.c.its_absent_since.is_(None) | (_beside.c.its_absent_since > _last_whole_at),
    _beside.c.its_first_seen_at.is_not(None) | _beside.c.its_first_read_at.is_not(None),
    _last_whole_at.is_not(None),
)
_presence = (
    select(
        func.count().filter(_was_in_last_whole).label("expected"),
        func.count().filter(_beside.c.uid.is_(None), _was_in_last_whole).label("missing"),
        func.count().filter(_beside.c.its_uid.is_(None)).label("unknown"),
    )
    .select_from(_beside)
    .cte("presence")
)
_has_too_few = _presence.c.missing * 100 > _presence.c.expected * (100 - bindparam("least_percent", type_=Integer))
_problem = func.coalesce(_PROBLEM, case((_has_too_few, literal(FeedProblem.UIDS_MISSING.value, Text))))
_later = feeds.alias("later")
_is_later = and_(
    _later.c.uid_count > 0, _later.c.requested_at >= _AT, tuple_(_later.c.requested_at, _later.c.key) > _MOMENT
)
_NAMES = ("sha256", "entry_count", "bad_count", "uid_count", "total_users", "last_updated", "token_ends_at")
_insert_feed = (
    upsert(feeds)
    .from_select(
        ["key", "requested_at", "ingested_at", "is_whole", "problem", "missing_count", *_NAMES],
        select(
            _KEY,
            _AT,
            bindparam("now", type_=feeds.c.ingested_at.type),
            _problem.is_(None),
            _problem,
            _presence.c.missing,
            *(bindparam(name, type_=feeds.c[name].type) for name in _NAMES),
        ),
    )
    .on_conflict_do_nothing(index_elements=["key"])
    .returning(
        feeds.c.id,
        feeds.c.is_whole,
        feeds.c.problem,
        feeds.c.missing_count,
        select(_presence.c.unknown).scalar_subquery().label("unknown"),
        exists().where(_is_later).label("is_late"),
        exists().where(_is_later, _later.c.is_whole).label("is_before_whole"),
    )
)


def ingest_feed(
    connection: Connection,
    *,
    now: datetime,
    key: str,
    sha256: str,
    feed: Feed,
    least_percent: int = LEAST_PERCENT,
    token_ends_at: datetime | None = None,
) -> IngestReport:
    """Ingest a feed within a transaction.

    Parameters
    ----------
    key: of the object in S3; it has the instant at which the feed was requested.
    sha256: the digest of the object's uncompressed bytes, in hexadecimal.
    least_percent: of the uids of the last whole feed, how many a whole feed has at least.
    token_ends_at: when the token ends with which the feed was requested.

    Raises
    ------
    ValueError: the key is not one of a raw feed.
    """
    requested_at = requested_at_of(key)
    connection.execute(_take_lock)
    given = {
        "key": key,
        "at": requested_at,
        "now": now,
        "problem": feed.problem,
        "least_percent": least_percent,
        "sha256": sha256,
        "entry_count": feed.entry_count,
        "bad_count": feed.bad_count,
        "uid_count": len(feed.uids) + len(feed.bad_uids),
        "total_users": feed.total_users,
        "last_updated": feed.last_updated,
        "token_ends_at": token_ends_at,
    }
    if feed.problem is not None and feed.problem.is_no_feed:
        if connection.execute(_insert_feed, given | {"uid_count": 0}).one_or_none() is None:
            return IngestReport(is_new=False)
        return IngestReport(is_new=True, problem=feed.problem, entries=feed.entry_count, bad=feed.bad_count)
    stage(connection, feed)
    row = connection.execute(_insert_feed, given).one_or_none()
    if row is None:
        clear(connection)
        return IngestReport(is_new=False)
    race_ids = boards.take_races(connection, row.id, is_late=row.is_late, requested_at=requested_at)
    new = {
        "feed_id": row.id,
        "at": requested_at,
        "key": key,
        "is_whole": row.is_whole,
        "is_before_whole": row.is_before_whole,
        "now": now,
    }
    store = late_readings if row.is_late else newest_readings
    if row.unknown:
        connection.execute(store.insert_newcomers, new)
    readings = store.store(connection, new)
    clear(connection)
    all_time_blocks.write(connection)
    if race_ids:
        boards.write_standings(connection, race_ids, is_late=row.is_late, now=now)
    return IngestReport(
        is_new=True,
        is_whole=row.is_whole,
        problem=None if row.problem is None else FeedProblem(row.problem),
        is_late=row.is_late,
        entries=feed.entry_count,
        bad=feed.bad_count,
        missing=row.missing_count,
        readings=readings,
        races=len(race_ids),
    )

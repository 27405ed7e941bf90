"""For each raw feed that is put into the bucket: ingest it, once.

S3 may report an object several times and in any order; the feeds' own order is that of their requests.
"""

from goatedvips import db
from goatedvips.alarms import Alarm, alarm
from goatedvips.clients import raw_feed
from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.domain.wagers.feed import FeedProblem, parse_feed
from goatedvips.domain.wagers.feed_keys import PREFIX
from goatedvips.domain.wagers.ingest import ingest_feed
from goatedvips.events import lambda_handler


def ingest_wagers(key: str) -> dict[str, int]:
    raw = raw_feed.read_feed(key)
    feed = parse_feed(raw.pages)
    with db.transaction() as connection:
        report = ingest_feed(
            connection,
            now=utc_now(),
            key=key,
            sha256=raw.sha256,
            feed=feed,
            least_percent=settings.feed_least_percent,
            token_ends_at=raw.token_ends_at,
        )
        # Before the transaction commits: a run that is cut off in between is repeated, and its alarm must not be lost.
        if report.problem is not None and report.problem is not FeedProblem.BAD_STATUS:  # fetch_wagers reported it
            name = Alarm.FEED_FAILED if report.problem.is_no_feed else Alarm.FEED_NOT_WHOLE
            alarm(name, key=key, reason=report.problem, entries=report.entries, bad=report.bad, missing=report.missing)
    counts = {"entries": report.entries, "bad": report.bad, "readings": report.readings, "races": report.races}
    return {"ingested": int(report.is_new), **counts}


handler = lambda_handler(ingest_wagers, prefix=PREFIX)

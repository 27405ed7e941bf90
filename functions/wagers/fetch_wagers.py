"""Every ten minutes: ask the affiliate API for the feed, and put its raw answer into the bucket.

The bucket's event starts ingest_wagers. This function runs outside the VPC, and uses no database.
"""

from datetime import timedelta

from goatedvips.alarms import Alarm, alarm
from goatedvips.clients import affiliate, raw_feed, secrets
from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.runs import seconds_left
from goatedvips.schedule import lambda_handler

RESERVED_SECONDS = 90.0  # no request begins with less time left: one may take 60 s, and then the answer is stored
TOKEN_WARNING = timedelta(hours=6)


def fetch_wagers() -> dict[str, int]:
    token = secrets.read_secret(settings.affiliate_token_secret, "token")
    token_ends_at = affiliate.token_ends_at(token)
    seconds = seconds_left() - RESERVED_SECONDS
    fetched = affiliate.fetch(settings.affiliate_api_url, token, seconds=seconds, clock=utc_now)
    key = raw_feed.put_feed(fetched.requested_at, fetched.pages, token_ends_at) if fetched.pages else ""
    if fetched.failure is not None:
        alarm(Alarm.FEED_FAILED, reason=fetched.failure, key=key)
    if token_ends_at is not None and token_ends_at - utc_now() < TOKEN_WARNING:
        alarm(Alarm.FEED_TOKEN_ENDS, token_ends_at=token_ends_at.isoformat())
    return {"pages": len(fetched.pages), "failures": int(fetched.failure is not None)}


handler = lambda_handler(fetch_wagers)

"""The bucket of raw feeds and the affiliate API, as `make run` has them, over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.stand_ins import affiliate, feed_server, s3
from local.stand_ins.affiliate import AffiliateApi
from local.stand_ins.feeds import Casino
from local.template import FEED_BUCKET


@dataclass
class FeedStack:
    """The two servers."""

    base: str
    """Their URL."""
    api: AffiliateApi
    events: list[dict[str, Any]] = field(default_factory=list)
    """What S3 sent through EventBridge."""
    now: datetime = datetime(2026, 12, 3, 12, tzinfo=UTC)
    """The instant of the affiliate API."""

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of a function that uses them."""
        return {
            "AFFILIATE_API_URL": f"{self.base}{affiliate.PATH}",
            "AWS_ENDPOINT_URL_S3": f"{self.base}{s3.PREFIX}",
            "FEED_BUCKET": FEED_BUCKET,
        }


@contextmanager
def run(folder: Path, accounts: int = 200) -> Iterator[FeedStack]:
    """Run both until the end of the block.

    Parameters
    ----------
    folder: for the bucket's objects.
    accounts: at the casino.
    """
    stack = FeedStack("", AffiliateApi(Casino(accounts, seed=11)))
    with feed_server.serving(folder, stack.api, lambda: stack.now, stack.events.append) as base:
        stack.base = base
        yield stack

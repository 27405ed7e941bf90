"""The affiliate API, the bucket of raw feeds and the secret of the token, as `make run` has them, over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.stand_ins import affiliate, outside, s3, secrets_manager
from local.stand_ins.affiliate import AffiliateApi, Behaviour
from local.stand_ins.feeds import Casino
from local.template import FEED_BUCKET


@dataclass
class FeedStack:
    """The servers."""

    base: str
    """Their URL."""
    api: AffiliateApi
    events: list[dict[str, Any]] = field(default_factory=list)
    """What S3 sent through EventBridge."""
    now: datetime = datetime(2026, 12, 3, 12, tzinfo=UTC)
    """The instant of the affiliate API."""

    def set_token(self, ends_at: datetime) -> None:
        """Let the affiliate API need a token, and put one that ends then into Secrets Manager."""
        self.api.behaviour = Behaviour(needs_token=True)
        secrets_manager.put(secrets_manager.AFFILIATE_TOKEN, {"token": self.api.issue_token(ends_at)})

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of a function that uses them."""
        return {
            "AFFILIATE_API_URL": f"{self.base}{affiliate.PATH}",
            "AFFILIATE_TOKEN_SECRET": secrets_manager.AFFILIATE_TOKEN,
            "AWS_ENDPOINT_URL_S3": f"{self.base}{s3.PREFIX}",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"{self.base}{secrets_manager.PREFIX}",
            "FEED_BUCKET": FEED_BUCKET,
        }


@contextmanager
def run(folder: Path, accounts: int = 200) -> Iterator[FeedStack]:
    """Run all until the end of the block.

    Parameters
    ----------
    folder: for the bucket's objects.
    accounts: at the casino.
    """
    stack = FeedStack("", AffiliateApi(Casino(accounts, seed=11)))
    with outside.serving(folder, stack.api, lambda: stack.now, stack.events.append) as base:
        stack.base = base
        yield stack

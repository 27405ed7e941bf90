"""Alarms: conditions that somebody who runs the platform has to look at."""

from enum import StrEnum

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger(service="goatedvips")


class Alarm(StrEnum):
    """The names of all alarms."""

    FEED_FAILED = "feed_failed"
    """No feed: the affiliate API did not answer every page with a status of success (raised by fetch_wagers), or what
    it answered so is no feed (raised by ingest_wagers)."""
    FEED_NOT_WHOLE = "feed_not_whole"
    """A feed is not whole, so it is no boundary and proves no absence."""
    FEED_TOKEN_ENDS = "feed_token_ends"  # noqa: S105 - a name
    """The token for the affiliate API has ended, or ends within 6 hours."""
    RACE_UNSETTLED = "race_unsettled"
    """A race ended 24 hours ago and is not settled: no whole feed was requested since its end, or staff must settle
    it."""
    RACE_WITHOUT_RANKED = "race_without_ranked"
    """A race with participants was settled, and nobody is ranked."""
    OUTBOX_GIVEN_UP = "outbox_given_up"
    """A mail or push message was not sent after all its tries; `make outbox-retry` queues it again."""
    CAMPAIGN_PAUSED = "campaign_paused"
    """A campaign paused itself: it is overdue, or too many of its mails bounced or were complained about."""
    PUSH_KEY_UNUSABLE = "push_key_unusable"
    """The secret has no private key for push messages, or one that is not of `PushPublicKey`; none is sent."""
    SES_REFUSES_ACCOUNT = "ses_refuses_account"
    """SES sends nothing for this account: it throttles, has paused or suspended it, fails, or cannot be reached."""


def alarm(name: Alarm, **figures: int | str) -> None:
    """Write an ERROR line, and the metric `Alarm` with the dimensions `name` and `service` in EMF.

    Parameters
    ----------
    figures: what somebody needs to begin with, such as an id and a reason; never a token or an e-mail address.
    """
    logger.error("alarm", extra={"alarm": name.value, **figures})
    with single_metric(name="Alarm", unit=MetricUnit.Count, value=1) as metric:
        metric.add_dimension("name", name.value)

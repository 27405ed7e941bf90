"""Every minute: pause campaigns that must stop, end those that are sent, and queue the mail of those that are due."""

import logging
from collections import Counter

from goatedvips.alarms import Alarm, alarm
from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.newsletter import campaign_ends, queueing
from goatedvips.schedule import lambda_handler

logger = logging.getLogger("goatedvips.queue_campaigns")


def queue_campaigns() -> Counter[str]:
    """What goes wrong with one campaign does not delay the others."""
    done = Counter({"queued": 0, "failed": 0})
    with transaction() as connection:
        for paused in campaign_ends.pause(connection, now=utc_now()):
            done["paused"] += 1
            alarm(Alarm.CAMPAIGN_PAUSED, campaign_id=paused.id, reason=paused.reason, sent=paused.sent)
    with transaction() as connection:
        done.update(campaign_ends.settle(connection, now=utc_now()))
    with transaction() as connection:
        due = queueing.find_due(connection, now=utc_now())
    for campaign in due:
        try:
            with transaction() as connection:
                done["queued"] += queueing.queue(connection, campaign, now=utc_now())
        except Exception:
            logger.exception("not queued", extra={"campaign_id": campaign.id})
            done["failed"] += 1
    return done


handler = lambda_handler(queue_campaigns)

"""Amazon SES reports a bounce or a complaint, through Amazon SNS: mail to the address ends."""

import json
from collections import Counter

from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.db import transaction
from goatedvips.domain.notifications import bounces
from goatedvips.events import SnsMessage, sns_handler


def handle_mail_events(message: SnsMessage) -> Counter[str]:
    done = Counter(bounced=0, complained=0, repeated=0, ignored=0)
    event = bounces.read_event(json.loads(message.text)) if message.text.startswith("{") else None
    if event is None:
        done["ignored"] += 1  # such as a transient bounce, or the text with which SES tests a new topic
        return done
    with transaction() as connection:
        is_first = bounces.record(connection, message.id, event, now=utc_now())
    done[event.effect if is_first else "repeated"] += 1
    return done


handler = sns_handler(handle_mail_events, topic=settings.mail_events_topic)

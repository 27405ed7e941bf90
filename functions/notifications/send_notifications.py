"""Every minute: send the mail that is due in the outbox, looking for it every 2 seconds."""

from collections import Counter
from time import sleep
from typing import get_args

from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.db import transaction
from goatedvips.domain.notifications import sending
from goatedvips.mail_delivery import deliver
from goatedvips.runs import seconds_left
from goatedvips.schedule import lambda_handler

PAUSE = 2.0  # seconds after an empty lease
LONGEST_PAUSE = 16.0  # seconds; the pause doubles while SES refuses the account
RESERVED_SECONDS = 10.0  # nothing begins with less time left, because one message may take that long
BATCH = 14  # rows of one lease: mail of a higher priority waits for one batch at most


def send_notifications() -> Counter[str]:
    done: Counter[str] = Counter(dict.fromkeys(get_args(sending.Outcome.__value__), 0))
    pause = PAUSE
    while seconds_left() > RESERVED_SECONDS:
        with transaction() as connection:
            mails = sending.lease(connection, BATCH, rate=settings.mail_rate, now=utc_now())
        outcome = None if mails else "empty"
        while mails and outcome != "put_back" and seconds_left() > RESERVED_SECONDS:
            outcome = deliver(mails.pop(0), now=utc_now())
            done[outcome] += 1
            sleep(1 / settings.mail_rate)
        with transaction() as connection:
            sending.put_back(connection, mails)
        pause = min(2 * pause, LONGEST_PAUSE) if outcome == "put_back" else PAUSE
        if outcome in {"put_back", "empty"}:
            sleep(min(pause, max(0.0, seconds_left() - RESERVED_SECONDS)))
    return done


handler = lambda_handler(send_notifications)

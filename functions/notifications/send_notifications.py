"""Every minute: send the mail that waits in the outbox, looking every 2 seconds."""

from collections import Counter
from time import sleep

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.notifications import sending
from goatedvips.mail_delivery import deliver
from goatedvips.schedule import lambda_handler, seconds_left

PAUSE = 2.0  # seconds between two looks at an empty outbox
LAST_SECONDS = 10.0  # of the function's time, in which nothing is begun: one message may take as long
A_SECOND = 14  # messages: what SES allows an account at first
BATCH = 14


def send_notifications() -> Counter[str]:
    done: Counter[str] = Counter(sent=0, dropped=0, retried=0, given_up=0)
    while seconds_left() > LAST_SECONDS:
        with transaction() as connection:
            mails = sending.lease(connection, BATCH, now=utc_now())
        if not mails:
            sleep(PAUSE)
        while mails and seconds_left() > LAST_SECONDS:
            done[deliver(mails.pop(0), now=utc_now())] += 1
            sleep(1 / A_SECOND)
        with transaction() as connection:
            sending.give_back(connection, mails)
    return done


handler = lambda_handler(send_notifications)

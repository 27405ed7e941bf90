"""Every minute: send the mail that waits in the outbox, looking every 2 seconds."""

from collections import Counter
from time import sleep

from goatedvips import ses
from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.db import transaction
from goatedvips.domain import outbox
from goatedvips.domain.outbox import Mail
from goatedvips.schedule import lambda_handler, logger, seconds_left

PAUSE = 2.0  # seconds between two looks at an empty outbox
LAST_SECONDS = 10.0  # of the function's time, in which nothing is begun: one message may take as long
A_SECOND = 14  # messages: what SES allows an account at first
BATCH = 14


def send_notifications() -> Counter[str]:
    done: Counter[str] = Counter(sent=0, dropped=0, retried=0, given_up=0)
    while seconds_left() > LAST_SECONDS:
        with transaction() as connection:
            mails = outbox.lease(connection, BATCH, now=utc_now())
        sleep(0 if mails else PAUSE)
        while mails and seconds_left() > LAST_SECONDS:
            done[deliver(mails.pop(0))] += 1
            sleep(1 / A_SECOND)
        if mails:
            with transaction() as connection:
                outbox.give_back(connection, mails)
    return done


def deliver(mail: Mail) -> str:
    to = {"link_base": settings.link_base, "staff_address": settings.staff_address}
    try:
        with transaction() as connection:
            message = outbox.compose(connection, mail, now=utc_now(), **to)
        if message is not None:
            ses.send(message)
    except Exception as error:  # noqa: BLE001 - one bad mail must not keep back the others
        logger.warning("not sent", extra={"outbox_id": mail.id, "kind": mail.kind, "reason": ses.reason(error)})
        with transaction() as connection:
            return outbox.failed(connection, mail, ses.reason(error), now=utc_now())
    with transaction() as connection:
        return outbox.settle(connection, mail, sent=message is not None, now=utc_now())


handler = lambda_handler(send_notifications)

"""Every minute: send the mail that is due in the outbox, and hand push messages over; mail is looked for every 2 s."""

from collections import Counter
from time import sleep

from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.db import transaction
from goatedvips.domain.notifications import sending
from goatedvips.mail_delivery import Turn, deliver_in_turn
from goatedvips.push_outbox import PushTurns
from goatedvips.runs import seconds_left
from goatedvips.schedule import lambda_handler

PAUSE = 2.0  # seconds after an empty lease
LONGEST_PAUSE = 16.0  # seconds; the pause doubles while SES refuses the account
RESERVED_SECONDS = 10.0  # nothing begins with less time left, because one message may take that long
BATCH = 14  # rows of one lease: mail of a higher priority waits for one batch at most


def send_notifications() -> Counter[str]:
    done: Counter[str] = Counter(dict.fromkeys(sending.OUTCOMES, 0))
    pause, is_busy, pushes = PAUSE, False, PushTurns(utc_now)
    while seconds_left() > RESERVED_SECONDS:
        done.update(pushes.hand_over())
        turn = Turn(utc_now)
        with transaction() as connection:
            mails = sending.lease(connection, BATCH, rate=settings.mail_rate, now=turn.began_at)
        outcomes = deliver_in_turn(mails, turn, lambda: seconds_left() > RESERVED_SECONDS)
        done.update(outcomes)
        pause = min(2 * pause, LONGEST_PAUSE) if (is_refused := "put_back" in outcomes) else PAUSE
        if is_refused or not (mails or is_busy or pushes.has_more):
            sleep(min(pause, max(0.0, seconds_left() - RESERVED_SECONDS)))
        elif len(outcomes) < BATCH or not turn.lasts():  # the rest of the second is another run's
            sleep(turn.seconds_until_next())
        is_busy = bool(mails)
    return done


handler = lambda_handler(send_notifications)

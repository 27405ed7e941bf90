"""The way of a leased mail from the outbox to SES: compose, send, record."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic

from sqlalchemy import Connection

from goatedvips.alarms import Alarm, alarm
from goatedvips.clients import ses
from goatedvips.config import settings
from goatedvips.db import transaction
from goatedvips.domain.notifications import composing, sending, unsubscribe_links
from goatedvips.domain.notifications.composing import Links
from goatedvips.domain.notifications.deciding import Defer, Drop
from goatedvips.domain.notifications.kinds import KINDS
from goatedvips.domain.notifications.mail_texts import Message
from goatedvips.domain.notifications.sending import Mail, Outcome

MARGIN = 0.25  # seconds before the end of a turn, in which no message is sent any more

logger = logging.getLogger("goatedvips.mail_delivery")


class Turn:
    """The second of the clock in which leased mail may be sent: leases count by seconds, and SES's rate does too.

    It ends a little early, so that what is sent last still arrives in its second. What is left of the second is real
    time, because the clock of a platform under test may run faster: by it no mail would ever be sent in its second.

    Parameters
    ----------
    clock: returns the present instant; the turn began at its first one.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.began_at = clock()
        self._ends_at = monotonic() + 1 - self.began_at.microsecond / 1_000_000

    def lasts(self) -> bool:
        """Whether a mail may be sent now."""
        return self.seconds_until_next() > MARGIN

    def seconds_until_next(self) -> float:
        """Return how long it is until the next second begins; 0 if it has begun."""
        return max(0.0, self._ends_at - monotonic())


def deliver_in_turn(mails: Sequence[Mail], turn: Turn, may_begin: Callable[[], bool]) -> list[Outcome]:
    """Send leased mail as long as its turn lasts, and put the rest back; return an outcome for each that was tried.

    After `put_back` none is tried: SES takes no mail of the account now.

    Parameters
    ----------
    may_begin: whether there is time for another one.
    """
    outcomes: list[Outcome] = []
    for mail in mails:
        if "put_back" in outcomes or not turn.lasts() or not may_begin():
            break
        outcomes.append(deliver(mail, turn))
    with transaction() as connection:
        sending.put_back(connection, mails[len(outcomes) :])
    return outcomes


def deliver(mail: Mail, turn: Turn) -> Outcome:
    """Send a leased mail and record the outcome. No transaction is open during the call to SES.

    `put_back` means that SES takes no mail of the account now. A mail that was given up, and an account that is
    refused, raise an alarm. A mail that was not composed before its turn ended is deferred: it is due as before.

    Raises
    ------
    Problem: the database cannot record the outcome; the lease expires, and the mail is sent again.
    """
    now = turn.clock()
    try:
        with transaction() as connection:
            message = _compose(connection, mail, now=now)
        ses.prepare()
        if isinstance(message, Message) and not turn.lasts():
            message = Defer(mail.due_at)
        message_id = _send(message, mail) if isinstance(message, Message) else None
    except ses.AccountRefused as error:
        alarm(Alarm.SES_REFUSES_ACCOUNT, reason=str(error))
        with transaction() as connection:
            return sending.put_back(connection, [mail])
    except ses.MessageRefused as error:
        logger.warning("refused", extra={"outbox_id": mail.id, "kind": mail.kind, "reason": str(error)})
        with transaction() as connection:
            return sending.drop(connection, mail, str(error), now=now)
    except Exception as error:  # noqa: BLE001 - one mail's fault, whatever it is, must not delay the others
        return _record_failure(mail, error, now=now)
    with transaction() as connection:
        match message:
            case Drop(reason):
                return sending.drop(connection, mail, reason, now=now)
            case Defer(until):
                return sending.defer(connection, mail, until)
            case _:
                return sending.record_sent(connection, mail, message_id, now=now)


def _compose(connection: Connection, mail: Mail, *, now: datetime) -> Message | Drop | Defer:
    message = composing.compose(connection, mail, _links(), now=now)
    if not isinstance(message, Message):
        return message
    endpoint = f"{settings.api_url}/v1/newsletter/unsubscribe"
    return unsubscribe_links.add_link(connection, message, KINDS[mail.kind], endpoint)


def _send(message: Message, mail: Mail) -> str:
    return ses.send(
        message.to,
        message.subject,
        message.text,
        message.html,
        message.reply_to,
        headers=message.headers,
        configuration_set=settings.critical_mail_set if KINDS[mail.kind].is_critical else settings.bulk_mail_set,
        tags={"outbox_id": str(mail.id), "kind": mail.kind},
    )


def _links() -> Links:
    return Links(settings.link_base, settings.ticket_base, settings.staff_address)


def _record_failure(mail: Mail, error: Exception, *, now: datetime) -> Outcome:
    # Of errors other than SES's only the class is stored: their messages may quote the mail and so its token.
    reason = f"{type(error).__name__} {error}" if isinstance(error, ses.Refused) else type(error).__name__
    logger.warning("not sent", extra={"outbox_id": mail.id, "kind": mail.kind, "reason": reason})
    with transaction() as connection:
        outcome = sending.record_failure(connection, mail, reason, now=now)
    if outcome == "given_up":
        alarm(Alarm.OUTBOX_GIVEN_UP, outbox_id=mail.id, kind=mail.kind, reason=reason)
    return outcome

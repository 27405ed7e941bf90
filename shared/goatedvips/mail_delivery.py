"""The way of a leased mail from the outbox to SES: compose, send, record."""

import logging
from datetime import datetime

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

logger = logging.getLogger("goatedvips.mail_delivery")


def deliver(mail: Mail, *, now: datetime) -> Outcome:
    """Send a leased mail and record the outcome. No transaction is open during the call to SES.

    `put_back` means that SES takes no mail of the account now: the caller ends its batch. A mail that was given up, and
    an account that is refused, raise an alarm.

    Raises
    ------
    Problem: the database cannot record the outcome; the lease expires, and the mail is sent again.
    """
    try:
        with transaction() as connection:
            message = _compose(connection, mail, now=now)
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

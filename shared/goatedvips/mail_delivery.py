"""The way of a leased mail from the outbox to SES: compose, send, record."""

import logging
from datetime import datetime

from goatedvips.clients import ses
from goatedvips.config import settings
from goatedvips.db import transaction
from goatedvips.domain.notifications import sending
from goatedvips.domain.notifications.sending import Mail, Outcome

logger = logging.getLogger("goatedvips.mail_delivery")


def deliver(mail: Mail, *, now: datetime) -> Outcome:
    """Send a leased mail and record the outcome. No transaction is open during the call to SES.

    Raises
    ------
    Problem: the database cannot record the outcome; the lease expires, and the mail is sent again.
    """
    try:
        with transaction() as connection:
            message = sending.compose(
                connection, mail, link_base=settings.link_base, staff_address=settings.staff_address, now=now
            )
        if message is not None:
            ses.send(message.to, message.subject, message.text, message.html)
    except Exception as error:  # noqa: BLE001 - one mail's fault, whatever it is, must not delay the others
        reason = _reason(error)
        logger.warning("not sent", extra={"outbox_id": mail.id, "kind": mail.kind, "reason": reason})
        with transaction() as connection:
            return sending.failed(connection, mail, reason, now=now)
    with transaction() as connection:
        return sending.settle(connection, mail, sent=message is not None, now=now)


def _reason(error: Exception) -> str:
    """Return what is stored of an error: never its message, which may quote the mail and so its token."""
    answer = getattr(error, "response", None) or {}  # None if SES did not answer
    code = answer.get("Error", {}).get("Code", "")
    return f"{type(error).__name__} {code}".strip()

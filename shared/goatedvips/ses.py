"""The edge to Amazon SES: mail out of the outbox is handed over for delivery here."""

import logging
from datetime import datetime
from functools import cache
from typing import Any

from goatedvips.config import settings
from goatedvips.db import transaction
from goatedvips.domain.notifications import sending
from goatedvips.domain.notifications.mail_texts import Message
from goatedvips.domain.notifications.sending import Mail, Outcome

logger = logging.getLogger("goatedvips.ses")


def deliver(mail: Mail, *, now: datetime) -> Outcome:
    """Send a leased mail, and note what became of it; no transaction is open while SES is waited for.

    Raises
    ------
    Problem: the database cannot take the note; the lease lapses, and the mail is sent again.
    """
    try:
        with transaction() as connection:
            message = sending.compose(
                connection, mail, link_base=settings.link_base, staff_address=settings.staff_address, now=now
            )
        if message is not None:
            send(message)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one mail must not keep back the others
        reason = _reason(error)
        logger.warning("not sent", extra={"outbox_id": mail.id, "kind": mail.kind, "reason": reason})
        with transaction() as connection:
            return sending.failed(connection, mail, reason, now=now)
    with transaction() as connection:
        return sending.settle(connection, mail, sent=message is not None, now=now)


def send(message: Message) -> None:
    """Hand a message over.

    Raises
    ------
    botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError
    """
    _client().send_email(
        FromEmailAddress=settings.mail_from,
        Destination={"ToAddresses": [message.to]},
        Content={
            "Simple": {
                "Subject": _text(message.subject),
                "Body": {"Text": _text(message.text), "Html": _text(message.html)},
            }
        },
    )


@cache
def _client() -> Any:  # noqa: ANN401 - boto3 makes its clients' classes at run time
    import boto3  # most runs find no mail, and do without its 300 ms
    from botocore.config import Config

    # The outbox tries again; a run of the sender leaves 10 s for its last message.
    limits = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 1})
    return boto3.client("sesv2", config=limits)


def _text(data: str) -> dict[str, str]:
    return {"Data": data, "Charset": "UTF-8"}


def _reason(error: Exception) -> str:
    """What went wrong, to be kept: never the error's message, which may quote the mail and so the token in it."""
    answer = getattr(error, "response", None) or {}  # none where SES did not answer
    code = answer.get("Error", {}).get("Code", "")
    return f"{type(error).__name__} {code}".strip()

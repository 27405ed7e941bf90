"""The edge to Amazon SES: the only place that hands mail over for delivery."""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from goatedvips.config import settings
from goatedvips.domain.mail_texts import Message


@cache
def _client() -> Any:  # noqa: ANN401 - boto3 makes its clients' classes at run time
    # The outbox tries again; a run of the sender leaves 10 s for its last message.
    limits = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 1})
    return boto3.client("sesv2", config=limits)


def send(message: Message) -> None:
    """Hand a message over; SES delivers it.

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


def reason(error: Exception) -> str:
    """What went wrong, to be kept: never its message, which may quote the mail and so the token in it."""
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
    return f"{type(error).__name__} {code}".strip()


def _text(data: str) -> dict[str, str]:
    return {"Data": data, "Charset": "UTF-8"}

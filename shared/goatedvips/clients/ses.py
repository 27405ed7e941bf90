"""The client of Amazon SES: it sends a message, and knows nothing of the outbox."""

from functools import cache
from typing import Any

from goatedvips.config import settings


def send(to: str, subject: str, text: str, html: str) -> None:
    """Send one message.

    Parameters
    ----------
    to: an e-mail address.
    text, html: the same body twice.

    Raises
    ------
    botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError
    """
    _client().send_email(
        FromEmailAddress=settings.mail_from,
        Destination={"ToAddresses": [to]},
        Content={"Simple": {"Subject": _utf8(subject), "Body": {"Text": _utf8(text), "Html": _utf8(html)}}},
    )


@cache
def _client() -> Any:  # noqa: ANN401 - boto3 makes its clients' classes at run time
    import boto3  # importing it takes 300 ms, and most runs of the sender find no mail
    from botocore.config import Config

    # The outbox retries; the sender reserves 10 s of its run for its last message.
    limits = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 1})
    return boto3.client("sesv2", config=limits)


def _utf8(data: str) -> dict[str, str]:
    return {"Data": data, "Charset": "UTF-8"}

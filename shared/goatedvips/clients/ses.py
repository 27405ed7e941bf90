"""The client of Amazon SES: it sends a message, and knows nothing of the outbox.

Errors of SendEmail: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

from collections.abc import Mapping
from email.utils import parseaddr
from functools import cache
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnected

from goatedvips.config import settings

_OF_THE_MESSAGE = frozenset({"BadRequestException", "MessageRejected"})
_OF_THE_ACCOUNT = frozenset(
    {
        "AccountSuspendedException",
        "LimitExceededException",
        "MailFromDomainNotVerifiedException",
        "SendingPausedException",
        "TooManyRequestsException",
    }
)
_THROTTLED, _FORBIDDEN, _SERVER_ERROR = 429, 403, 500


class Refused(Exception):
    """SES did not take the message; its only argument is the reason, which quotes nothing of the message."""


class MessageRefused(Refused):
    """SES will never take this message, whatever the time."""


class AccountRefused(Refused):
    """SES takes no message of this account now, or cannot be reached; the message itself may be right."""


def send(
    to: str,
    subject: str,
    text: str,
    html: str,
    reply_to: str | None = None,
    *,
    headers: Mapping[str, str],
    configuration_set: str,
    tags: Mapping[str, str],
) -> str:
    """Send one message; return the id that SES gives it, which its events name too.

    Parameters
    ----------
    to: an e-mail address.
    text, html: the same body twice.
    reply_to: an e-mail address.
    headers: further header fields. SES writes them as they are; Python's `email` would encode long URLs in them, so
        that mail programs could not read them.
    configuration_set: its name; empty: none.
    tags: what the events of the message repeat.

    Raises
    ------
    MessageRefused, AccountRefused
    Refused: any other error of SES; trying again later may help.
    botocore.exceptions.BotoCoreError: the request could not be made, for example without credentials.
    """
    try:
        content = {"Subject": _utf8(subject), "Body": {"Text": _utf8(text), "Html": _utf8(html)}}
        optional = {"ConfigurationSetName": configuration_set, "TenantName": settings.mail_tenant}
        answer = _client().send_email(
            FromEmailAddress=settings.mail_from,
            Destination={"ToAddresses": [to]},
            ReplyToAddresses=[reply_to] if reply_to else [],
            Content={"Simple": content | {"Headers": _pairs(headers)}},
            EmailTags=_pairs(tags),
            **{name: given for name, given in optional.items() if given},
        )
        return str(answer["MessageId"])
    except (HTTPClientError, NotConnected) as error:  # no answer: not connected, time-out, connection closed
        raise AccountRefused(type(error).__name__) from error
    except ClientError as error:
        raise _refusal(error) from error


def prepare() -> None:
    """Make the client, which takes longer than to send a message: before a message's turn begins, not within it."""
    _client()


def _refusal(error: ClientError) -> Refused:
    """Return the class of an error that SES answered. Its message is left out, because it may quote the mail."""
    code = error.response.get("Error", {}).get("Code", "")
    text = error.response.get("Error", {}).get("Message", "")
    # "Email address is not verified. The following identities failed the check …": if the sender is one of them, SES
    # sends no mail of the account; otherwise it is the recipient, and the account is still in the sandbox.
    sender_failed = "is not verified" in text and parseaddr(settings.mail_from)[1] in text
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _OF_THE_MESSAGE and not sender_failed:
        return MessageRefused(code)
    if sender_failed or code in _OF_THE_ACCOUNT or status in {_THROTTLED, _FORBIDDEN} or status >= _SERVER_ERROR:
        return AccountRefused(code)
    return Refused(code)


@cache
def _client() -> Any:  # noqa: ANN401 - boto3 makes its clients' classes at run time
    import boto3  # importing it takes 300 ms, and most runs of the sender find no mail
    from botocore.config import Config

    # The outbox retries; the sender reserves 10 s of its run for its last message.
    limits = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 1})
    return boto3.client("sesv2", config=limits)


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


def _utf8(data: str) -> dict[str, str]:
    return {"Data": data, "Charset": "UTF-8"}

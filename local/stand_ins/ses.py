"""Turn a `SendEmail` request into the messages that recipients would get, and refuse what Amazon SES refuses.

Raw messages are parsed as octets by RFC 5322 and 2047. The parser repairs nothing: a header that mail programs cannot
read is shown as it was sent. Sources:
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
https://docs.aws.amazon.com/ses/latest/dg/send-email-raw.html
"""

import base64
import binascii
import email
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.policy import compat32
from typing import Any

import idna

MOST_RECIPIENTS = 50
MOST_HEADERS = 15
LONGEST_HEADER = 995  # characters of name and value together
LONGEST_LINE = 998  # octets without CRLF (RFC 5322, section 2.1.1)
ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
ADDRESS = re.compile(rf"({ATOM}(?:\.{ATOM})*)@([^@\s]+)")
# `Name <address>`, or the address only.
MAILBOX = re.compile(r"(?:[^<>]*<([^<>]*)>|([^<>]*))")
LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
HEADER_NAME = re.compile(r"[!-9;-~]{1,126}")
PRINTABLE = re.compile(r"[ -~]*")
SET_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
TAG = re.compile(r"[A-Za-z0-9_.@-]{1,256}")
MOST_TAGS = 50


class RefusalError(Exception):
    """SES would answer `BadRequestException`; the text says why."""


@dataclass(frozen=True)
class Mail:
    """A message as one recipient gets it."""

    to: str
    subject: str
    text: str
    html: str
    headers: list[dict[str, str]]
    """Name and value of each header field, as it was sent."""
    raw: str | None
    """The whole raw message, with lone surrogates for octets that are not UTF-8; None for a simple message."""


def accept(request: dict[str, Any]) -> list[Mail]:
    """Return a message for each recipient of a `SendEmail` request, simple or raw.

    Raises
    ------
    RefusalError: SES would refuse the request.
    """
    try:
        destination = request.get("Destination") or {}
        kinds = ("ToAddresses", "CcAddresses", "BccAddresses")
        recipients = [str(address) for kind in kinds for address in destination.get(kind) or ()]
        _check_tags(request)
        content = request["Content"]
        if "Raw" in content:
            return _accept_raw(request, base64.b64decode(content["Raw"]["Data"], validate=True), recipients)
        return _accept_simple(request, content["Simple"], recipients)
    except (KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise RefusalError(f"not a SendEmail request: {error!r}") from error


def _accept_simple(request: dict[str, Any], simple: dict[str, Any], recipients: Sequence[str]) -> list[Mail]:
    replies = [str(address) for address in request.get("ReplyToAddresses") or ()]
    for address in (request["FromEmailAddress"], *replies):
        _check_mailbox(address)
    given = [{"name": header["Name"], "value": header["Value"]} for header in simple.get("Headers") or ()]
    if len(given) > MOST_HEADERS:
        raise RefusalError(f"{len(given)} headers, of which SES takes {MOST_HEADERS}")
    for header in given:
        if not HEADER_NAME.fullmatch(header["name"]) or not PRINTABLE.fullmatch(header["value"]):
            raise RefusalError(f"the header {header['name']!r} is not printable ASCII")
        if len(header["name"]) + len(header["value"]) > LONGEST_HEADER:
            raise RefusalError(f"the header {header['name']!r} is longer than {LONGEST_HEADER} characters")
    body = simple["Body"]
    if not {"Text", "Html"} & set(body):
        raise RefusalError("the message has no body")
    subject, text, markup = (_text(part) for part in (simple["Subject"], body.get("Text"), body.get("Html")))
    if re.search(r"[\r\n]", subject):
        raise RefusalError("the subject has more than one line")
    headers = [{"name": "From", "value": request["FromEmailAddress"]}]
    headers += [{"name": "Reply-To", "value": ", ".join(replies)}] if replies else []
    return [Mail(to, subject, text, markup, headers + given, None) for to in _check_recipients(recipients)]


def _check_tags(request: dict[str, Any]) -> None:
    if not SET_NAME.fullmatch(request.get("ConfigurationSetName", "none")):
        raise RefusalError(f"{request['ConfigurationSetName']!r} is no name of a configuration set")
    tags = [text for tag in request.get("EmailTags") or () for text in (tag["Name"], tag["Value"])]
    if len(tags) > 2 * MOST_TAGS or not all(map(TAG.fullmatch, tags)):
        raise RefusalError(f"tags that SES does not take: {tags}")


def _text(part: dict[str, str] | None) -> str:
    """Return a part's text, which is 7-bit ASCII unless a charset is given."""
    if part is None:
        return ""
    try:
        part["Data"].encode(part.get("Charset") or "ascii")
    except (UnicodeEncodeError, LookupError) as error:
        raise RefusalError(f"the text does not fit its charset: {error}") from error
    return part["Data"]


def _accept_raw(request: dict[str, Any], octets: bytes, recipients: Sequence[str]) -> list[Mail]:
    head, _, _ = re.sub(rb"\r?\n", b"\n", octets).partition(b"\n\n")
    if not head.isascii():
        raise RefusalError("a header is not 7-bit ASCII")
    if any(len(line) > LONGEST_LINE for line in re.split(rb"\r?\n", octets)):
        raise RefusalError(f"a line is longer than {LONGEST_LINE} octets")
    message = email.message_from_bytes(octets, policy=compat32)
    sender = request.get("FromEmailAddress") or message["From"]
    if not sender:
        raise RefusalError("the message has no sender")
    _check_mailbox(str(sender))
    named = [
        address.strip()
        for name in ("To", "Cc", "Bcc")
        for value in message.get_all(name, [])
        for address in _unfold(value).split(",")
    ]
    parts = {part.get_content_type(): part for part in reversed(list(message.walk())) if _is_body(part)}
    text, markup = (_body(parts.get(kind)) for kind in ("text/plain", "text/html"))
    headers = [{"name": name, "value": _unfold(value)} for name, value in message.items()]
    raw = octets.decode("utf-8", "surrogateescape")
    subject = _decode_words(_unfold(message["Subject"] or ""))
    return [Mail(to, subject, text, markup, headers, raw) for to in _check_recipients(recipients or named)]


def _is_body(part: Message) -> bool:
    return not part.is_multipart() and part.get_content_disposition() != "attachment"


def _body(part: Message | None) -> str:
    if part is None:
        return ""
    octets = part.get_payload(decode=True)
    charset = part.get_content_charset("ascii")
    try:
        return octets.decode(charset) if isinstance(octets, bytes) else ""
    except (UnicodeDecodeError, LookupError) as error:
        raise RefusalError(f"a body does not fit its charset: {error}") from error


def _unfold(value: object) -> str:
    return re.sub(r"\r?\n(?=[ \t])", "", str(value))


def _decode_words(value: str) -> str:
    """Return the text of an unstructured header with encoded words (RFC 2047)."""
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, UnicodeDecodeError, LookupError):
        return value


def _check_recipients(recipients: Iterable[str]) -> list[str]:
    """Return the e-mail addresses of recipients; refuse none, too many and invalid ones."""
    addresses = [_check_mailbox(recipient) for recipient in recipients]
    if not addresses:
        raise RefusalError("the message has no recipient")
    if len(addresses) > MOST_RECIPIENTS:
        raise RefusalError(f"{len(addresses)} recipients, of which SES takes {MOST_RECIPIENTS}")
    return addresses


def _check_mailbox(mailbox: str) -> str:
    """Return the e-mail address of a mailbox; refuse an invalid one."""
    match = MAILBOX.fullmatch(mailbox)
    address = next((group for group in match.groups() if group is not None), "").strip() if match else ""
    if not mailbox.isascii():
        raise RefusalError(f"{mailbox!r} is not ASCII")
    parts = ADDRESS.fullmatch(address)
    if parts is None or len(parts[1]) > 64 or not _is_domain(parts[2]):  # noqa: PLR2004 - RFC 5321, section 4.5.3.1.1
        raise RefusalError(f"{mailbox!r} is no address that SES sends to or from")
    return address


def _is_domain(domain: str) -> bool:
    labels = domain.split(".")
    if len(labels) < 2 or len(domain) > 253 or labels[-1].isdigit():  # noqa: PLR2004 - RFC 1035, section 2.3.4
        return False
    return all(LABEL.fullmatch(label) and _is_valid_label(label) for label in labels)


def _is_valid_label(label: str) -> bool:
    """Whether a label that claims to be an A-label is one (RFC 5890)."""
    if not label.lower().startswith("xn--"):
        return True
    try:
        return idna.alabel(idna.ulabel(label.lower())).decode() == label.lower()
    except idna.IDNAError:
        return False

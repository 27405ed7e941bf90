"""The octets of a message that Amazon SES would send, so that other programs' parsers can read them.

SES composes a simple message itself: it writes the given header fields as they are, and the rest by RFC 5322 and 2045.
"""

import base64
from collections.abc import Iterator
from datetime import datetime
from email.header import Header
from email.utils import format_datetime

from local.stand_ins.ses import Mail

CRLF = "\r\n"
LINE = 76  # characters of base64 (RFC 2045, section 6.8)


def octets(mail: Mail, message_id: str, sent_at: datetime) -> bytes:
    """Return a message as SES sends it; one that was given as a whole is returned as it is.

    Parameters
    ----------
    message_id: the id that SES answered.
    """
    if mail.raw is not None:
        return mail.raw.encode("utf-8", "surrogateescape")
    parts = [part for part in (("plain", mail.text), ("html", mail.html)) if part[1]]
    boundary = f"----={message_id}"
    lines = [
        *(f"{header['name']}: {header['value']}" for header in mail.headers),
        f"To: {mail.to}",
        f"Subject: {_unstructured(mail.subject)}",
        f"Message-ID: <{message_id}@email.amazonses.com>",
        f"Date: {format_datetime(sent_at)}",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
        "",
        *(line for kind, text in parts for line in _part(boundary, kind, text)),
        f"--{boundary}--",
        "",
    ]
    return CRLF.join(lines).encode("ascii")


def _unstructured(text: str) -> str:
    """Return the value of an unstructured header field: encoded words if it is not ASCII (RFC 2047)."""
    return text if text.isascii() else Header(text, "utf-8", header_name="Subject").encode(linesep=CRLF)


def _part(boundary: str, kind: str, text: str) -> Iterator[str]:
    encoded = base64.b64encode(text.encode()).decode()
    yield f"--{boundary}"
    yield f"Content-Type: text/{kind}; charset=UTF-8"
    yield "Content-Transfer-Encoding: base64"
    yield ""
    yield from (encoded[start : start + LINE] for start in range(0, len(encoded), LINE))

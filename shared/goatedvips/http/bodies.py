"""Request bodies: JSON of at most 64 KiB, whatever API Gateway wraps it in."""

import base64
import binascii
import json
from decimal import Decimal
from typing import Any

from goatedvips.errors import BodyTooLarge, MalformedRequest, UnsupportedMediaType

LIMIT = 64 * 1024  # bytes
JSON = "application/json"


def parse(text: str) -> Any:
    """JSON as RFC 8259 has it, numbers with a fraction as exact decimals.

    Raises
    ------
    MalformedRequest
    """

    def refuse(constant: str) -> None:
        raise MalformedRequest(f"{constant} is not JSON")

    try:
        return json.loads(text, parse_float=Decimal, parse_constant=refuse)
    except (ValueError, ArithmeticError, RecursionError) as error:  # ArithmeticError: an exponent that no decimal has
        raise MalformedRequest from error


def octets(event: dict[str, Any]) -> bytes:
    """The body of an event as it was sent.

    Raises
    ------
    MalformedRequest
    """
    body = event.get("body") or ""
    try:
        return base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except (binascii.Error, UnicodeEncodeError) as error:
        raise MalformedRequest from error


def prepare(event: dict[str, Any]) -> None:
    """Refuse a body that no route wants; leave it in the event as text, an absent one as an object without fields.

    Raises
    ------
    BodyTooLarge, UnsupportedMediaType, MalformedRequest
    """
    body = octets(event)
    if len(body) > LIMIT:
        raise BodyTooLarge
    media_type = event["headers"].get("content-type", JSON).split(";")[0].strip().lower()
    if body and media_type != JSON:
        raise UnsupportedMediaType
    event["headers"]["content-type"] = JSON
    try:
        event["body"], event["isBase64Encoded"] = body.decode() or "{}", False
    except UnicodeDecodeError as error:
        raise MalformedRequest from error

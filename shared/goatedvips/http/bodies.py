"""Request bodies: JSON of at most 64 KiB, plain or as base64 in API Gateway's event."""

import base64
import binascii
import json
from decimal import Decimal
from typing import Any

from goatedvips.errors import BodyTooLarge, MalformedRequest, UnsupportedMediaType

LIMIT = 64 * 1024  # bytes
JSON = "application/json"


def _refuse(constant: str) -> None:
    raise MalformedRequest(f"{constant} is not JSON")


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise MalformedRequest("The request body has an object with a name twice")
    return found


_decode = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_unique).decode


def parse(text: str) -> Any:
    """Parse JSON (RFC 8259); a number with a fraction or an exponent becomes an exact decimal.

    Raises
    ------
    MalformedRequest: it is not JSON, or an object has a name twice, which readers resolve differently (section 4).
    """
    try:
        return _decode(text)
    except (ValueError, ArithmeticError, RecursionError) as error:  # ArithmeticError: an exponent that no decimal has
        raise MalformedRequest from error


def octets(event: dict[str, Any]) -> bytes:
    """Return the body of an event as the client sent it.

    Raises
    ------
    MalformedRequest
    """
    body = event.get("body") or ""
    try:
        return base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except (binascii.Error, UnicodeEncodeError) as error:
        raise MalformedRequest from error


def discard(event: dict[str, Any]) -> None:
    """Put an empty object in the place of a body that nobody reads.

    Raises
    ------
    BodyTooLarge, MalformedRequest
    """
    if len(octets(event)) > LIMIT:
        raise BodyTooLarge
    event["headers"]["content-type"] = JSON
    event["body"], event["isBase64Encoded"] = "{}", False


def prepare(event: dict[str, Any]) -> None:
    """Refuse a body that no route takes; store it in the event as text, and `{}` for an empty one.

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

"""Responses that more than one handler gives, and how every body is written."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from pydantic import BaseModel

from goatedvips.http.bodies import JSON

_encode = json.JSONEncoder(separators=(",", ":")).encode
_ENTITY_TAG = re.compile(r'"[^"]*"')


def created_once[M: BaseModel](body: M, *, created: bool) -> Response[M]:
    """Return 201 with what this request created, or 200 with what an earlier equal request created."""
    return Response(201 if created else 200, JSON, body)


def download(gzipped: bytes, name: str) -> Response[str]:
    """Return gzipped JSON as a file to save, which no cache may store.

    Parameters
    ----------
    gzipped: the body, compressed.
    name: the file name that a browser suggests.
    """
    headers = {
        "Content-Encoding": "gzip",
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }
    response = Response(200, JSON, base64.b64encode(gzipped).decode(), headers=headers)
    response.base64_encoded = True  # API Gateway decodes it and sends the bytes
    return response


def revalidated(
    api: APIGatewayHttpResolver, proceed: Callable[[APIGatewayHttpResolver], Response[Any]]
) -> Response[Any]:
    """Middleware of a route: add an ETag, and answer 304 if `If-None-Match` has that ETag (RFC 9110, section 13.1.2).

    The ETag is a hash of the body. A row's version number would miss the other rows that the body is built from, such
    as a member's name.
    """
    response = proceed(api)
    tag = f'"{hashlib.sha256(serialized(response).encode()).hexdigest()}"'
    response.headers |= {"ETag": tag, "Cache-Control": "no-cache"}  # caches may store it, and revalidate it each time
    if_none_match = api.current_event["headers"].get("if-none-match", "")
    # A weak tag, `W/"…"`, matches as well: If-None-Match uses weak comparison.
    if if_none_match.strip() == "*" or tag in _ENTITY_TAG.findall(if_none_match):
        return Response(304, headers={name: response.headers[name] for name in ("ETag", "Cache-Control")})
    return response


def serialized(response: Response[Any]) -> str:
    """Return the body exactly as it will be sent, and store that text as the response's body."""
    response.body = "" if response.body is None else _encode(response.body)
    return response.body

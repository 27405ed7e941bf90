"""Requests as API Gateway's HTTP API hands them to a function: payload format 2.0.

SAM CLI's own event differs from the one on AWS in ways that hide defects: it keeps the spelling of header names, gives
every request the same id and sends absent parts as empty ones.
"""

import base64
import re
import secrets
from datetime import UTC, datetime
from typing import Any

from flask import Request

from local.worker import ACCOUNT

API_ID = "local0api0"
TEXT_TYPES = re.compile(
    r"text/.*|application/(json|xml|javascript|x-www-form-urlencoded|[\w.+-]+\+(json|xml))", re.IGNORECASE
)


def http_event(request: Request, route_key: str, parameters: dict[str, str]) -> dict[str, Any]:
    """Return the event of a request.

    Parameters
    ----------
    request: the request, its body read whole.
    route_key: method and path of the route in the template, as in `GET /v1/races/{id}`.
    parameters: values of the path's parameters, decoded.

    """
    now = datetime.now(UTC)
    headers = _headers(request)
    path = request.path  # decoded, as on AWS
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": request.query_string.decode("latin-1"),
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API_ID,
            "domainName": request.host,
            "domainPrefix": request.host.split(":", 1)[0].split(".", 1)[0],
            "http": {
                "method": request.method,
                "path": path,
                "protocol": request.environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
                "sourceIp": request.remote_addr or "",
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": secrets.token_urlsafe(11) + "=",
            "routeKey": route_key,
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies := [part.strip() for part in request.headers.get("Cookie", "").split(";") if part.strip()]:
        event["cookies"] = cookies
    if request.args:
        event["queryStringParameters"] = {name: ",".join(values) for name, values in request.args.lists()}
    if parameters:
        event["pathParameters"] = parameters
    if data := request.get_data():
        event["body"], event["isBase64Encoded"] = _body(data, request.mimetype)
    return event


def authorizer_event(event: dict[str, Any], identity: list[str]) -> dict[str, Any]:
    """Return what the Lambda authorizer of a route gets for a request: no body, but what identifies the caller."""
    kept = {name: value for name, value in event.items() if name not in ("body", "isBase64Encoded")}
    http = event["requestContext"]["http"]
    arn = f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{API_ID}/$default/{http['method']}{http['path']}"
    return kept | {"type": "REQUEST", "routeArn": arn, "identitySource": identity}


def _headers(request: Request) -> dict[str, str]:
    """Names in lower case, repeated headers joined by commas, cookies apart, and what API Gateway adds."""
    headers = {name.lower(): value for name, value in request.headers.items() if name != "Cookie"}
    forwarded = headers.get("x-forwarded-for")
    client = request.remote_addr or ""
    return headers | {
        "x-forwarded-for": f"{forwarded}, {client}" if forwarded else client,
        "x-forwarded-port": request.environ.get("SERVER_PORT", ""),
        "x-forwarded-proto": request.scheme,
        "x-amzn-trace-id": f"Root=1-{int(datetime.now(UTC).timestamp()):08x}-{secrets.token_hex(12)}",
    }


def _body(data: bytes, media_type: str) -> tuple[str, bool]:
    """Return the body as text where it is text, else as base64, and which of them."""
    if not media_type or TEXT_TYPES.fullmatch(media_type):
        try:
            return data.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(data).decode(), True

"""The events that API Gateway's HTTP API sends to a function for a request: payload format 2.0.

SAM CLI's own events differ from those on AWS in ways that hide defects: they preserve the case of header names, have
the same request id for every request, and contain empty values for absent parts.
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


def build_http_event(request: Request, route_key: str, parameters: dict[str, str], now: datetime) -> dict[str, Any]:
    """Return the event of a request.

    Parameters
    ----------
    request: the request, with its body read completely.
    route_key: method and path of the route in the template, as in `GET /v1/races/{id}`.
    parameters: values of the path's parameters, decoded.
    now: when the request came, by the platform's clock.

    """
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


def build_authorizer_event(event: dict[str, Any], identity: list[str]) -> dict[str, Any]:
    """Return the event that the Lambda authorizer of a route gets: without the body, with the identity sources."""
    without_body = {name: value for name, value in event.items() if name not in ("body", "isBase64Encoded")}
    http = event["requestContext"]["http"]
    arn = f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{API_ID}/$default/{http['method']}{http['path']}"
    return without_body | {"type": "REQUEST", "routeArn": arn, "identitySource": identity}


def _headers(request: Request) -> dict[str, str]:
    """Return the headers as API Gateway sends them.

    Names are in lower case, repeated headers are joined by commas, the cookies are left out, and API Gateway's own
    headers are added.
    """
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
    """Return the body, as text or else as base64, and whether it is base64."""
    if not media_type or TEXT_TYPES.fullmatch(media_type):
        try:
            return data.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(data).decode(), True

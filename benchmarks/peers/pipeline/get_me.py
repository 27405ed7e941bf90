"""GET /v1/me by hand: psycopg's pipeline mode, one statement, the answer written with `json` only."""

import json
import os
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row

# Without prepared statements: they would bind a client to one server connection of a pooler.
connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=None, row_factory=dict_row)

ME = """
    SELECT u.id, u.username, u.email, coalesce(u.email_verified, false) AS email_verified, u.is_admin AS is_staff,
        u.bio, u.profile_color, u.verified, u.uid, u.hide_name, u.total_wager, u.wager_today, u.wager_week,
        u.wager_month, u.excluded_until, u.excluded_permanently, u.created_at, u.last_active
    FROM sessions s JOIN users u ON u.id = s.user_id
    WHERE s.id = %s AND u.id = %s AND s.ended_at IS NULL AND s.expires_at > %s
        AND u.suspended_at IS NULL AND u.erased_at IS NULL
"""


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Answer an event."""
    started = time.perf_counter()
    status, body = answer(event)
    request = event["requestContext"]
    line = {"request_id": request["requestId"], "status": status, "seconds": time.perf_counter() - started}
    print(json.dumps(line))
    headers = {"Content-Type": "application/json", "X-Request-Id": request["requestId"]}
    return {"statusCode": status, "headers": headers, "body": body, "isBase64Encoded": False}


def answer(event: dict[str, Any]) -> tuple[int, str]:
    """Return the status and the body."""
    if event["rawPath"] != "/v1/me" or event["requestContext"]["http"]["method"] != "GET":
        return 404, '{"code":"not_found"}'
    caller = event["requestContext"].get("authorizer", {}).get("lambda") or {}
    if "session_id" not in caller:
        return 401, '{"code":"unauthenticated"}'
    now = datetime.now(UTC).replace(tzinfo=None)
    with connection.pipeline():
        row = connection.execute(ME, (caller["session_id"], caller["user_id"], now)).fetchone()
    if row is None:
        return 401, '{"code":"unauthenticated"}'
    return 200, json.dumps(row, default=encode, separators=(",", ":"))


def encode(value: object) -> str:
    """Write what JSON has no type for."""
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z"
    raise TypeError(type(value))

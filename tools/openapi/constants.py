"""What the OpenAPI document says of the API as a whole, and the components that operations share."""

from typing import Any

DESCRIPTION = """\
Money is a decimal string, an instant is RFC 3339 in UTC, an id is an integer. A request with an unknown field is
refused.

Errors are problem documents (RFC 9457) with a stable `code`; more codes may come. API Gateway itself answers a request
without an `Authorization` header on a signed-in route (401), to an unknown route (404), over the rate limit (429) or
after the time-out (503). The body of these responses is `{"message": "…"}`.

A list is read page by page: `cursor` is the `next_cursor` of the previous page.

A signed-in POST with an `Idempotency-Key` is carried out once: for 24 hours the same request gets the same response.
The header has no effect if the body has a password.
"""
CONTACT = {"name": "GoatedVIPs support"}
LICENSE = {"name": "MIT", "identifier": "MIT"}
# By folder of functions/; routes for staff have a tag of their own, with `admin-` in front.
TAGS = {
    "accounts": "Accounts and sessions.",
    "privacy": "A member's data: export and erasure.",
    "wheel": "The provably fair wheel.",
    "codes": "Bonus codes.",
    "rewards": "Rewards.",
    "races": "Wager races and their leaderboards.",
    "wagers": "Tiers, leaderboards of the community, and monthly statements.",
    "tickets": "Support.",
    "notifications": "What a member is notified of: preferences, the inbox and push.",
    "newsletter": "Subscriptions, which a link in a mail confirms.",
    "operations": "The state of this API.",
    "admin-accounts": "For staff: requests to link casino accounts.",
    "admin-members": "For staff: members.",
    "admin-wheel": "For staff: versions of the wheel.",
    "admin-codes": "For staff: bonus codes.",
    "admin-rewards": "For staff: rewards and payouts.",
    "admin-races": "For staff: wager races.",
    "admin-tickets": "For staff: the queue of tickets.",
    "admin-wagers": "For staff: the affiliate feed and the tiers.",
    "admin-newsletter": "For staff: subscriptions and campaigns.",
    "admin-operations": "For staff: the platform at a glance.",
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 255 printable ASCII characters that the client chooses, new for each intended effect.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]{1,255}$"},
}
COMPONENTS: dict[str, Any] = {
    "securitySchemes": {
        "session": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "gvp_…",
            "description": "The token that `POST /v1/sessions` answers.",
        }
    },
    "parameters": {
        "IdempotencyKey": _IDEMPOTENCY_KEY,
        "RequiredIdempotencyKey": _IDEMPOTENCY_KEY | {"required": True},
        "IfNoneMatch": {
            "name": "If-None-Match",
            "in": "header",
            "description": "The `ETag` of the copy that the client has.",
            "schema": {"type": "string"},
        },
    },
    "headers": {
        "ETag": {"description": "Changes with the response's content.", "schema": {"type": "string"}},
        "NextPage": {
            "description": 'The next page of CSV, as `<…>; rel="next"` (RFC 8288). It is absent on the last page.',
            "schema": {"type": "string"},
        },
        "XRequestId": {"description": "The id of the request, for support.", "schema": {"type": "string"}},
        "IdempotencyReplayed": {
            "description": "`true` if this is the stored response of the first request with this key.",
            "schema": {"type": "string", "const": "true"},
        },
        "RetryAfter": {
            "description": "Seconds after which the client should try again.",
            "schema": {"type": "integer", "minimum": 1},
        },
    },
}

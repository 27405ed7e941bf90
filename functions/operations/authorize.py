"""The API's authorizer: says who calls, and lets everyone through; the routes themselves refuse.

It imports little, because a cold start of it comes on top of another's.  Whatever the header holds is answered.  A
database out of reach is not: the error escapes and API Gateway answers 500, where "nobody" would log members out.
"""

from typing import Any

from goatedvips.clock import utc_now
from goatedvips.db import ConnectionLost, transaction
from goatedvips.domain import sessions


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Answer an event of payload 2.0 in the simple format."""
    token = sessions.token_in(",".join(event.get("identitySource") or ()))
    return {"isAuthorized": True, "context": _context(token) if token else {}}


def _context(token: str) -> dict[str, Any]:
    try:
        known = _known(token)
    except ConnectionLost:  # it may safely be done twice
        known = _known(token)
    if known is None:
        return {}
    return {"user_id": known.user_id, "session_id": known.session_id, "is_staff": known.is_staff}


def _known(token: str) -> sessions.Known | None:
    with transaction() as connection:
        return sessions.known(connection, token, now=utc_now())

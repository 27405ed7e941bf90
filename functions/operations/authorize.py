"""The API's authorizer: it reports who calls and allows every request; the routes themselves answer 401 and 403.

It imports little, because its cold start adds to that of the route's function. It never fails: an error would be
answered by API Gateway, without a problem document. If the database is out of reach it reports `undecided` (an empty
context would mean "not signed in"), and the route's function authenticates the caller itself.
"""

import logging
from dataclasses import asdict
from typing import Any

from goatedvips.clock import utc_now
from goatedvips.db import ConnectionLost, transaction
from goatedvips.domain.accounts import sessions
from goatedvips.errors import Problem

logger = logging.getLogger(__name__)


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Answer an authorizer event (payload 2.0) in the simple response format."""
    token = sessions.bearer_token(",".join(event.get("identitySource") or ()))
    return {"isAuthorized": True, "context": _context(token) if token else {}}


def _context(token: str) -> dict[str, Any]:
    try:
        try:
            principal = _authenticate(token)
        except ConnectionLost:  # authenticating twice is safe
            principal = _authenticate(token)
    except Problem as problem:
        logger.warning("undecided: %s", problem.reason)
        return {"undecided": True}
    return asdict(principal) if principal else {}


def _authenticate(token: str) -> sessions.Principal | None:
    with transaction() as connection:
        return sessions.authenticate(connection, token, now=utc_now())

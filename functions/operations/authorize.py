"""The API's authorizer: says who calls, and lets everyone through; the routes themselves refuse.

It imports little, because a cold start of it comes on top of another's.  Whatever the header holds is answered.  With
the database out of reach it says that it could not look: "nobody" would log members out, and an error would be answered
by API Gateway in its own words.  The route then looks for itself, since the gateway keeps this answer too.
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
    """Answer an event of payload 2.0 in the simple format."""
    token = sessions.token_in(",".join(event.get("identitySource") or ()))
    return {"isAuthorized": True, "context": _context(token) if token else {}}


def _context(token: str) -> dict[str, Any]:
    try:
        try:
            known = _known(token)
        except ConnectionLost:  # it may safely be done twice
            known = _known(token)
    except Problem as problem:
        logger.warning("undecided: %s", problem.reason)
        return {"undecided": True}
    return asdict(known) if known else {}


def _known(token: str) -> sessions.Known | None:
    with transaction() as connection:
        return sessions.known(connection, token, now=utc_now())

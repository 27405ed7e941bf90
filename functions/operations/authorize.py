"""The API's authorizer: it reports who calls and allows every request; the routes themselves answer 401 and 403.

It imports little, because its cold start adds to that of the route's function. It never fails: API Gateway would answer
an error without a problem document. If the database is out of reach it reports `undecided`, not an empty context, which
would mean "not signed in", and the route's function authenticates the caller itself.
"""

import logging

from goatedvips import resume_garbage_collection
from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.domain.accounts import authentication
from goatedvips.light_connection import describe, make_database
from goatedvips.postgres_wire import DatabaseError

logger = logging.getLogger(__name__)
database = make_database(settings.database_url)
resume_garbage_collection()


def handler(event: dict[str, list[str] | None], _: object) -> dict[str, object]:
    """Answer an authorizer event (payload 2.0) in the simple response format."""
    token = authentication.bearer_token(",".join(event.get("identitySource") or ()))
    return {"isAuthorized": True, "context": _context(token) if token else {}}


def _context(token: str) -> dict[str, int]:
    try:
        principal = authentication.authenticate(database.read, database.try_write, token, now=utc_now())
    except DatabaseError as error:
        logger.warning("undecided: %s", describe(error))
        return {"undecided": True}
    return principal or {}

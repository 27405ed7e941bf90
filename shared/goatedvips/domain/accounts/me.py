"""A member's own account."""

from datetime import datetime

from goatedvips.connections import Connection
from goatedvips.domain import callers
from goatedvips.domain.accounts import compiled_statements
from goatedvips.domain.callers import Caller


def read[R](connection: Connection[R], caller: Caller, *, now: datetime) -> R:
    """Return the row of the caller's own account.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    return callers.one(connection, compiled_statements.SELECT_ME, caller, {}, now=now)

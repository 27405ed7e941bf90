"""Who presents a session token, for the authorizer: this module imports neither SQLAlchemy nor a driver.

Its statements are those of `goatedvips.domain.accounts.sessions`, which `make statements` compiles.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from goatedvips.compiled import Compiled
from goatedvips.domain.accounts import compiled_statements
from goatedvips.domain.tokens import hash_token

SESSION_LIFETIME = timedelta(days=30)
"""After the last use of a session."""
ACTIVITY_INTERVAL = timedelta(minutes=5)
"""How often a member's activity is recorded, and the end of their session moved, at most."""

_BEARER = re.compile(r"Bearer +(gvp_[A-Za-z0-9_-]{43})", re.ASCII | re.IGNORECASE)

type Parameters = Mapping[str, object]
type Read = Callable[[Compiled, Parameters], list[list[int]]]
type Write = Callable[[Compiled, Parameters], None]
type Principal = dict[str, int]
"""The member whose token was presented, as the authorizer reports them: `user_id`, `session_id`, `is_staff`."""


def bearer_token(authorization: str) -> str | None:
    """Return the session token of an Authorization header; None if it has anything else."""
    bearer = _BEARER.fullmatch(authorization)
    return bearer[1] if bearer else None


def authenticate(read: Read, try_write: Write, token: str, *, now: datetime) -> Principal | None:
    """Return the member whose live session has this token; None if there is none or the member is suspended.

    At most once in `ACTIVITY_INTERVAL` it also records the member's activity and extends the session.

    Parameters
    ----------
    read: sends a compiled statement and returns its rows.
    try_write: sends a compiled statement whose effect may be lost; it raises nothing.
    """
    rows = read(compiled_statements.FIND_LIVE, live_parameters(token, now))
    if not rows:
        return None
    ((user_id, session_id, is_staff, is_due),) = rows
    if is_due:
        try_write(compiled_statements.RECORD_USE, use_parameters(user_id, session_id, now))
    return {"user_id": user_id, "session_id": session_id, "is_staff": is_staff}


def live_parameters(token: str, now: datetime) -> Parameters:
    """Return what `sessions.find_live` is bound to."""
    return {"given_hash": hash_token(token), **_due_parameters(now)}


def use_parameters(user_id: int, session_id: int, now: datetime) -> Parameters:
    """Return what `sessions.record_use` is bound to."""
    return {
        "caller_id": user_id,
        "caller_session_id": session_id,
        "session_expires_at": now + SESSION_LIFETIME,
        **_due_parameters(now),
    }


def _due_parameters(now: datetime) -> dict[str, object]:
    return {
        "now": now,
        "active_since": now - ACTIVITY_INTERVAL,
        "expiring_until": now + SESSION_LIFETIME - ACTIVITY_INTERVAL,
    }

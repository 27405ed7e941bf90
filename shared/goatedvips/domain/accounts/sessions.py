"""Sessions: authentication by session token, their lifetime and their end."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, or_, select, update

from goatedvips.domain import access
from goatedvips.domain.access import LIVE, NOW, Caller
from goatedvips.domain.tokens import hash_token
from goatedvips.models.accounts import sessions, users

SESSION_LIFETIME = timedelta(days=30)
"""After the last use of a session."""
ACTIVITY_INTERVAL = timedelta(minutes=5)
"""How often a member's activity is recorded, and the end of their session moved, at most."""

_BEARER = re.compile(r"Bearer +(gvp_[A-Za-z0-9_-]{43})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Principal:
    """The member whose session token was presented."""

    user_id: int
    session_id: int
    is_staff: bool


_TOKEN_HASH = bindparam("given_hash", type_=sessions.c.token_hash.type)
_EXPIRES_AT = bindparam("session_expires_at", type_=sessions.c.expires_at.type)
_end_other_sessions = (
    update(sessions)
    .where(
        sessions.c.user_id == bindparam("owner_id"),
        sessions.c.id.is_distinct_from(bindparam("kept_id", type_=sessions.c.id.type)),
        sessions.c.ended_at.is_(None),
    )
    .values(ended_at=NOW)
    .execution_options(commit_in_flight=True)
)


def end_all(connection: Connection, user_id: int, *, but: int | None = None, now: datetime) -> None:
    """End all sessions of a member except one.

    This must be a statement of its own after the one that locks and changes the member's row: it then sees the sessions
    that log-ins opened before that lock.

    Parameters
    ----------
    but: the id of the session that goes on; None: all sessions end.
    """
    connection.execute(_end_other_sessions, {"owner_id": user_id, "kept_id": but, "now": now})


_caller = access.member()
_end_session = (
    update(sessions)
    .where(sessions.c.id == bindparam("caller_session_id"), sessions.c.user_id == _caller.c.id)
    .values(ended_at=NOW)
    .returning(sessions.c.id)
    .execution_options(commit_in_flight=True)
)


def end(connection: Connection, caller: Caller, *, now: datetime) -> None:
    """End the caller's present session.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    access.one(connection, _end_session, caller, {}, now=now)


_live = (
    select(users.c.id.label("user_id"), sessions.c.id.label("session_id"), users.c.is_admin.label("is_staff"))
    .join(users, users.c.id == sessions.c.user_id)
    .where(sessions.c.token_hash == _TOKEN_HASH, LIVE, users.c.suspended_at.is_(None))
    .cte("live")
)
_ACTIVE_SINCE = bindparam("active_since", type_=users.c.last_active.type)
# SKIP LOCKED: a concurrent request of the member records the same activity, so this one need not wait for it.
_inactive = (
    select(users.c.id)
    .join(_live, _live.c.user_id == users.c.id)
    .where(or_(users.c.last_active.is_(None), users.c.last_active <= _ACTIVE_SINCE, ~users.c.is_active))
)
_record_activity = (
    update(users)
    .where(users.c.id.in_(_inactive.with_for_update(of=users, key_share=True, skip_locked=True)))
    .values(last_active=NOW, is_active=True)
    .cte("record_activity")
)
_expiring = (
    select(sessions.c.id)
    .join(_live, _live.c.session_id == sessions.c.id)
    .where(sessions.c.expires_at <= bindparam("expiring_until", type_=sessions.c.expires_at.type))
)
_extend_session = (
    update(sessions)
    .where(sessions.c.id.in_(_expiring.with_for_update(of=sessions, key_share=True, skip_locked=True)))
    .values(expires_at=_EXPIRES_AT)
    .cte("extend_session")
)
_authenticate = select(_live).add_cte(_record_activity, _extend_session).execution_options(commit_in_flight=True)


def bearer_token(authorization: str) -> str | None:
    """Return the session token of an Authorization header; None if it has anything else."""
    bearer = _BEARER.fullmatch(authorization)
    return bearer[1] if bearer else None


def authenticate(connection: Connection, token: str, *, now: datetime) -> Principal | None:
    """Return the member whose live session has this token; None if there is none or the member is suspended.

    It records the member's activity and extends the session, at most once in `ACTIVITY_INTERVAL`.
    """
    parameters = {
        "given_hash": hash_token(token),
        "now": now,
        "active_since": now - ACTIVITY_INTERVAL,
        "expiring_until": now + SESSION_LIFETIME - ACTIVITY_INTERVAL,
        "session_expires_at": now + SESSION_LIFETIME,
    }
    row = connection.execute(_authenticate, parameters).one_or_none()
    return Principal(**row._mapping) if row else None

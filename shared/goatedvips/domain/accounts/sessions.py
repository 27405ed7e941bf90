"""Sessions: whom a token belongs to, and how long."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, or_, select, update

from goatedvips.domain import access
from goatedvips.domain.access import LIVE, NOW, Caller
from goatedvips.domain.tokens import hash_token
from goatedvips.models.accounts import sessions, users

LASTS = timedelta(days=30)
NOTED_EVERY = timedelta(minutes=5)
"""How often a member's activity is written down, and their session prolonged."""

_BEARER = re.compile(r"Bearer +(gvp_[A-Za-z0-9_-]{43})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Known:
    """Whom a token belongs to."""

    user_id: int
    session_id: int
    is_staff: bool


_TOKEN_HASH = bindparam("given_hash", type_=sessions.c.token_hash.type)
_EXPIRES_AT = bindparam("session_expires_at", type_=sessions.c.expires_at.type)
_others = (
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
    """End a member's sessions, but for one.

    It is a statement after the one that locked and changed their row: so it sees what a log-in opened until then.
    """
    connection.execute(_others, {"owner_id": user_id, "kept_id": but, "now": now})


_caller = access.member()
_end = (
    update(sessions)
    .where(sessions.c.id == bindparam("caller_session_id"), sessions.c.user_id == _caller.c.id)
    .values(ended_at=NOW)
    .returning(sessions.c.id)
    .execution_options(commit_in_flight=True)
)


def end(connection: Connection, caller: Caller, *, now: datetime) -> None:
    """End the caller's session: log them out.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    access.one(connection, _end, caller, {}, now=now)


_live = (
    select(sessions.c.id.label("session_id"), users.c.id.label("user_id"), users.c.is_admin)
    .join(users, users.c.id == sessions.c.user_id)
    .where(sessions.c.token_hash == _TOKEN_HASH, LIVE, users.c.suspended_at.is_(None))
    .cte("live")
)
_STALE = bindparam("stale_since", type_=users.c.last_active.type)
# What another request is writing at this moment is as new as this would be: no two wait for each other.
_idle = (
    select(users.c.id)
    .join(_live, _live.c.user_id == users.c.id)
    .where(or_(users.c.last_active.is_(None), users.c.last_active <= _STALE, ~users.c.is_active))
)
_noted = (
    update(users)
    .where(users.c.id.in_(_idle.with_for_update(of=users, key_share=True, skip_locked=True)))
    .values(last_active=NOW, is_active=True)
    .cte("noted")
)
_ageing = (
    select(sessions.c.id)
    .join(_live, _live.c.session_id == sessions.c.id)
    .where(sessions.c.expires_at <= bindparam("ageing_until", type_=sessions.c.expires_at.type))
)
_prolonged = (
    update(sessions)
    .where(sessions.c.id.in_(_ageing.with_for_update(of=sessions, key_share=True, skip_locked=True)))
    .values(expires_at=_EXPIRES_AT)
    .cte("prolonged")
)
_know = select(_live).add_cte(_noted, _prolonged).execution_options(commit_in_flight=True)


def token_in(authorization: str) -> str | None:
    """The session token in an Authorization header; none where it holds anything else."""
    bearer = _BEARER.fullmatch(authorization)
    return bearer[1] if bearer else None


def known(connection: Connection, token: str, *, now: datetime) -> Known | None:
    """Whom the token of a live session belongs to, unless they are suspended.

    It notes that they are active and prolongs the session, at most once in 5 minutes.
    """
    parameters = {
        "given_hash": hash_token(token),
        "now": now,
        "stale_since": now - NOTED_EVERY,
        "ageing_until": now + LASTS - NOTED_EVERY,
        "session_expires_at": now + LASTS,
    }
    row = connection.execute(_know, parameters).one_or_none()
    return Known(row.user_id, row.session_id, row.is_admin) if row else None

"""Sessions: the statements that authenticate a caller by their session token, and the end of sessions."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, literal_column, or_, select, true, update
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from goatedvips.domain import access
from goatedvips.domain.access import CALLER_ID, LIVE, NOW, Caller
from goatedvips.domain.accounts import authentication
from goatedvips.models.accounts import sessions, users

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


def _is_inactive(account: ReadOnlyColumnCollection[str, Any]) -> ColumnElement[bool]:
    """Whether the member's activity is to be recorded."""
    return or_(account.last_active.is_(None), account.last_active <= _ACTIVE_SINCE, ~account.is_active)


_member = (
    select(users.c.id, users.c.is_admin, users.c.is_active, users.c.last_active)
    .where(users.c.id == sessions.c.user_id, users.c.suspended_at.is_(None))
    # The limit stops PostgreSQL from planning the join in every order, which takes longer than to execute it.
    .limit(literal_column("1"))
    .lateral("member")
)
_ACTIVE_SINCE = bindparam("active_since", type_=users.c.last_active.type)
_is_expiring = sessions.c.expires_at <= bindparam("expiring_until", type_=sessions.c.expires_at.type)

find_live = (
    select(
        _member.c.id.label("user_id"),
        sessions.c.id.label("session_id"),
        _member.c.is_admin.label("is_staff"),
        or_(_is_inactive(_member.c), _is_expiring).label("is_due"),
    )
    .join_from(sessions, _member, true())
    .where(sessions.c.token_hash == _TOKEN_HASH, LIVE)
)
"""The member and the live session of a token, and whether `record_use` is due."""

_used = (
    select(users.c.id.label("user_id"), sessions.c.id.label("session_id"))
    .join(users, users.c.id == sessions.c.user_id)
    .where(
        users.c.id == CALLER_ID,
        sessions.c.id == bindparam("caller_session_id"),
        LIVE,
        users.c.suspended_at.is_(None),
    )
    .cte("used")
)
# SKIP LOCKED: a concurrent request of the member records the same use, so this one need not wait for it.
_inactive = select(users.c.id).join(_used, _used.c.user_id == users.c.id).where(_is_inactive(users.c))
_record_activity = (
    update(users)
    .where(users.c.id.in_(_inactive.with_for_update(of=users, key_share=True, skip_locked=True)))
    .values(last_active=NOW, is_active=true())
    .cte("record_activity")
)
_expiring = select(sessions.c.id).join(_used, _used.c.session_id == sessions.c.id).where(_is_expiring)
record_use = (
    update(sessions)
    .where(sessions.c.id.in_(_expiring.with_for_update(of=sessions, key_share=True, skip_locked=True)))
    .values(expires_at=_EXPIRES_AT)
    .add_cte(_record_activity)
)
"""Records the member's activity and moves the end of their session, each if it is due and no other request has."""


def find_principal(connection: Connection, token: str, *, now: datetime) -> authentication.Principal | None:
    """Return the member whose live session has this token; None if there is none or the member is suspended.

    It is for a handler whose authorizer could not reach the database, and records nothing.
    """
    row = connection.execute(find_live, authentication.live_parameters(token, now)).one_or_none()
    return {"user_id": row.user_id, "session_id": row.session_id, "is_staff": row.is_staff} if row else None

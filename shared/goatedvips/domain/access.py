"""Access: who calls and what they may do, checked by the database in the first statement of every change.

The authorizer's answer may be a minute old.  Each such statement therefore starts from one of the CTEs below.  The CTE
returns no row if the caller has lost the right, and the rest of the statement joins to it, so it then writes nothing.
`one` and `one_or_none` return the row of such a statement, or raise why the caller was refused.  They are those of
`goatedvips.domain.callers`, where handlers without SQLAlchemy import them from.
"""

from typing import Any

from sqlalchemy import CTE, Boolean, ColumnElement, Select, and_, bindparam, or_, select
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from goatedvips.domain.callers import Caller, explain, one, one_or_none
from goatedvips.models.accounts import sessions, users

__all__ = [
    "CALLER_ID",
    "CALLER_PARAMETERS",
    "COMPARED",
    "LIVE",
    "NOW",
    "VERIFIED_EMAIL_REQUIRED",
    "Caller",
    "claimant",
    "explain",
    "is_excluded",
    "member",
    "one",
    "one_or_none",
    "player",
    "proven_member",
    "select_reasons",
    "staff",
]

CALLER_PARAMETERS = {"caller_id", "caller_session_id", "caller_request_id", "now", "verified_email_required"}
"""The names in `Caller.parameters`."""

CALLER_ID = bindparam("caller_id", type_=users.c.id.type)
NOW = bindparam("now", type_=sessions.c.expires_at.type)

LIVE = and_(sessions.c.ended_at.is_(None), sessions.c.expires_at > NOW)
"""Whether a session has neither ended nor expired."""
COMPARED = bindparam("compared", type_=users.c.password.type)
"""The stored hash that the caller's password was compared with."""
VERIFIED_EMAIL_REQUIRED = bindparam("verified_email_required", type_=Boolean)


def is_excluded(account: ReadOnlyColumnCollection[str, Any] = users.c) -> ColumnElement[bool]:
    """Whether a member is excluded from play: until the exclusion's end has passed and they have ended it."""
    return or_(account.excluded_permanently, account.excluded_until.is_not(None))


_excluded = is_excluded()
_unverified = and_(VERIFIED_EMAIL_REQUIRED, users.c.email_verified.is_not(True))
_may_play = and_(~_excluded, ~_unverified)
_select_caller: Select[int] = (
    select(users.c.id)
    .join(sessions, sessions.c.user_id == users.c.id)
    .where(
        sessions.c.id == bindparam("caller_session_id"),
        users.c.id == CALLER_ID,
        LIVE,
        users.c.suspended_at.is_(None),
        users.c.erased_at.is_(None),
    )
)


def member(*, only_reads: bool = False) -> CTE:
    """Return the CTE with the caller's `id`, if their session is live and they are neither suspended nor erased.

    It takes FOR KEY SHARE on the member until commit, which conflicts only with an erasure. So the erasure sees what
    this transaction writes, or this statement sees that the member is erased.

    Parameters
    ----------
    only_reads: the statement writes nothing for the member, so it needs no lock.
    """
    locked = _select_caller if only_reads else _select_caller.with_for_update(of=users, read=True, key_share=True)
    return locked.cte("caller")


def player() -> CTE:
    """As `member`, if they are not excluded, and have a verified e-mail address where the platform requires it.

    It takes FOR SHARE on the member until commit. A concurrent exclusion or suspension waits for plays in flight; a
    play that waits re-checks these conditions on the updated row (READ COMMITTED). So no play commits after an
    exclusion.
    """
    return _select_caller.where(_may_play).with_for_update(of=users, read=True).cte("caller")


def claimant() -> CTE:
    """As `member`, with `may_play`: whether they meet the conditions of `player`, whose lock this takes too.

    Every member can claim what they have won; what else a statement allows needs `may_play`.
    """
    return _select_caller.add_columns(_may_play.label("may_play")).with_for_update(of=users, read=True).cte("caller")


def staff() -> CTE:
    """As `member`, if they are staff."""
    return _select_caller.where(users.c.is_admin).cte("caller")


def proven_member() -> CTE:
    """As `member`, if the stored password is still `COMPARED`. It takes FOR UPDATE on the member until commit."""
    return _select_caller.where(users.c.password == COMPARED).with_for_update(of=users).cte("caller")


select_reasons = (
    select(
        LIVE.label("live"),
        users.c.suspended_at.is_not(None).label("suspended"),
        users.c.is_admin,
        _excluded.label("excluded"),
        _unverified.label("unverified"),
    )
    .join(sessions, sessions.c.user_id == users.c.id)
    .where(sessions.c.id == bindparam("caller_session_id"), users.c.id == CALLER_ID)
)

"""Access: who calls and what they may do, checked by the database in the first statement of every change.

The authorizer's answer may be a minute old.  Each such statement therefore starts from one of the CTEs below.  The CTE
returns no row if the caller has lost the right, and the rest of the statement joins to it, so it then writes nothing.
`one` and `one_or_none` return the row of such a statement, or raise why the caller was refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, Boolean, ColumnElement, Connection, Executable, Row, Select, and_, bindparam, or_, select
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from goatedvips.errors import AccountSuspended, EmailUnverified, Forbidden, SelfExcluded, Unauthenticated
from goatedvips.models.accounts import sessions, users


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in member or staff member, as the HTTP edge authenticated them."""

    user_id: int
    session_id: int
    request_id: str
    verified_email_required: bool = False
    """Whether spins, claims and joins need a verified e-mail address (a setting)."""

    def parameters(self, now: datetime) -> dict[str, object]:
        """Return what the CTEs below are bound to."""
        return {
            "caller_id": self.user_id,
            "caller_session_id": self.session_id,
            "caller_request_id": self.request_id,
            "now": now,
            "verified_email_required": self.verified_email_required,
        }


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


_select_reasons = (
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


def explain(
    connection: Connection, caller: Caller, *, now: datetime, playing: bool = False, staff: bool = False
) -> None:
    """Raise why one of the CTEs has no row for the caller; return if the caller is not the reason.

    Raises
    ------
    Unauthenticated, AccountSuspended, Forbidden, SelfExcluded, EmailUnverified
    """
    row = connection.execute(_select_reasons, caller.parameters(now)).one_or_none()
    if row is not None and row.suspended:
        raise AccountSuspended
    if row is None or not row.live:
        raise Unauthenticated
    if staff and not row.is_admin:
        raise Forbidden
    if playing and row.excluded:
        raise SelfExcluded
    if playing and row.unverified:
        raise EmailUnverified


def one_or_none(
    connection: Connection,
    statement: Executable,
    caller: Caller,
    parameters: Mapping[str, object],
    *,
    now: datetime,
    playing: bool = False,
    staff: bool = False,
) -> Row[*tuple[Any, ...]] | None:
    """Execute a statement that starts from one of the CTEs above, and return its row.

    Parameters
    ----------
    parameters: what the statement is bound to besides `Caller.parameters`.
    playing, staff: which CTE the statement starts from: `player` (or `claimant`, if no row means that the caller may
        not play), `staff`, or neither of them.

    Raises
    ------
    Unauthenticated, AccountSuspended, Forbidden, SelfExcluded, EmailUnverified: if there is no row because of it.
    """
    row = connection.execute(statement, {**caller.parameters(now), **parameters}).one_or_none()
    if row is None:
        explain(connection, caller, now=now, playing=playing, staff=staff)
    return row


def one(
    connection: Connection,
    statement: Executable,
    caller: Caller,
    parameters: Mapping[str, object],
    *,
    now: datetime,
    playing: bool = False,
    staff: bool = False,
) -> Row[*tuple[Any, ...]]:
    """As `one_or_none`, for a statement that always has a row if the caller is allowed.

    Raises
    ------
    Unauthenticated, AccountSuspended, Forbidden, SelfExcluded, EmailUnverified
    """
    row = one_or_none(connection, statement, caller, parameters, now=now, playing=playing, staff=staff)
    if row is None:
        raise AssertionError("the statement has a row for every caller who is allowed")
    return row

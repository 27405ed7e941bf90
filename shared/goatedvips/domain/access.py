"""Who calls, and what they may do: decided by the database, in the first statement of what changes anything.

The authorizer's word may be a minute old.  So each such statement starts from one of the parts below, which are empty
when the caller has lost the right, and everything else in it hangs on their row.  `one` and `one_or_none`
return the row of such a statement, or refuse the caller who was the reason that there is none.
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
    """A signed-in member, or one of the staff, as the edge knows them."""

    user_id: int
    session_id: int
    request_id: str
    verified_email_required: bool = False
    """The platform's setting for the gate of spins, claims and joins."""

    def parameters(self, now: datetime) -> dict[str, object]:
        """What the parts below are bound to."""
        return {
            "caller_id": self.user_id,
            "caller_session_id": self.session_id,
            "caller_request_id": self.request_id,
            "now": now,
            "verified_email_required": self.verified_email_required,
        }


CALLER_ID = bindparam("caller_id", type_=users.c.id.type)
NOW = bindparam("now", type_=sessions.c.expires_at.type)

LIVE = and_(sessions.c.ended_at.is_(None), sessions.c.expires_at > NOW)
COMPARED = bindparam("compared", type_=users.c.password.type)
"""The stored password that the caller's was compared with."""
VERIFIED_EMAIL_REQUIRED = bindparam("verified_email_required", type_=Boolean)


def is_excluded(account: ReadOnlyColumnCollection[str, Any] = users.c) -> ColumnElement[bool]:
    """Whether a member is excluded from play: until the end has passed and they have said so."""
    return or_(account.excluded_permanently, account.excluded_until.is_not(None))


_excluded = is_excluded()
_unverified = and_(VERIFIED_EMAIL_REQUIRED, users.c.email_verified.is_not(True))
_account: Select[int] = (
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
    """The caller's row, `id`: with a live session, not suspended.

    Their row is held, from being erased alone: an erasure sees what this writes, or this sees that they are erased.

    Parameters
    ----------
    only_reads: the statement writes nothing of theirs, so there is nothing to hold.
    """
    held = _account if only_reads else _account.with_for_update(of=users, read=True, key_share=True)
    return held.cte("caller")


def player() -> CTE:
    """As `member`, and through the eligibility gate: not excluded, and verified where the platform asks for it.

    Their row is held until the play commits. An exclusion or a suspension waits for the plays that have passed, and who
    waits for it here is looked at again: when it has committed, no play of theirs commits any more.
    """
    return _account.where(~_excluded, ~_unverified).with_for_update(of=users, read=True).cte("caller")


def staff() -> CTE:
    """As `member`, and one of the staff."""
    return _account.where(users.c.is_admin).cte("caller")


def proved() -> CTE:
    """As `member`, while the stored password is still `COMPARED`; their row is locked, so it stays that."""
    return _account.where(users.c.password == COMPARED).with_for_update(of=users).cte("caller")


_explanation = (
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
    """Refuse a caller whom one of the parts left out; return where the caller was not the reason.

    Raises
    ------
    Unauthenticated, AccountSuspended, Forbidden, SelfExcluded, EmailUnverified
    """
    row = connection.execute(_explanation, caller.parameters(now)).one_or_none()
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
    parameters: what the statement is bound to beside `Caller.parameters`.
    playing, staff: which CTE the statement starts from: `player`, `staff`, or neither of them.

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
    """As `one_or_none`, for a statement that has a row for every caller with the right.

    Raises
    ------
    Unauthenticated, AccountSuspended, Forbidden, SelfExcluded, EmailUnverified
    """
    row = one_or_none(connection, statement, caller, parameters, now=now, playing=playing, staff=staff)
    if row is None:
        raise AssertionError("the statement has a row for every caller with the right")
    return row

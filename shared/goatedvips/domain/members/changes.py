"""What staff change of a member: whether the account is open, whose rights they have, whether the address is proved."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Select,
    Text,
    bindparam,
    case,
    exists,
    func,
    null,
    or_,
    select,
    update,
)

from goatedvips.domain import access, audit
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.domain.members.search import BY_STAFF, EMAIL_VERIFIED, LISTED, MEMBER_ID, THERE, Member
from goatedvips.errors import Conflict, LastStaff, NotFound, OwnRights
from goatedvips.models.accounts import sessions, users


@dataclass(frozen=True, slots=True)
class ChangedMember(Member):
    """A member as staff left them."""

    suspended_reason: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """What staff change of a member; none: it stays.

    Parameters
    ----------
    reason: why; needed to suspend.
    """

    suspended: bool | None = None
    reason: str | None = None
    is_admin: bool | None = None
    email_verified: bool | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """Who is one of the staff, and whether they became it now."""

    user_id: int
    username: str
    granted: bool


_SUSPENDED = bindparam("given_suspended", type_=Boolean)
_REASON = bindparam("given_reason", type_=Text)
# Held until the end, in the order of their ids: of two who take each other's rights away at once one waits, and never
# both. What follows is a statement of its own, so it sees what the other has left of the caller's rights.
_held = (
    select(users.c.id)
    .where(users.c.id.in_([CALLER_ID, MEMBER_ID]))
    .order_by(users.c.id)
    .with_for_update(key_share=True)
)
_before = (
    select(
        users.c.id,
        users.c.suspended_at.is_not(None).label("suspended"),
        users.c.suspended_reason.label("reason"),
        users.c.is_admin,
        EMAIL_VERIFIED,
    )
    .where(BY_STAFF, users.c.id == MEMBER_ID, THERE)
    .cte("before")
)
_after = select(
    _before.c.id,
    func.coalesce(_SUSPENDED, _before.c.suspended).label("suspended"),
    # The audit log has the reason of whatever was changed, the member's row that of their suspension.
    case((_SUSPENDED.is_(None), func.coalesce(_REASON, _before.c.reason)), else_=_REASON).label("reason"),
    func.coalesce(bindparam("given_is_admin", type_=Boolean), _before.c.is_admin).label("is_admin"),
    func.coalesce(bindparam("given_email_verified", type_=Boolean), _before.c.email_verified).label("email_verified"),
).cte("after")
_suspended_at = case((_after.c.suspended, func.coalesce(users.c.suspended_at, NOW)), else_=null())
_suspended_reason = case((_SUSPENDED.is_(None), users.c.suspended_reason), (_SUSPENDED, _REASON), else_=null())
_changed = (
    update(users)
    .where(
        users.c.id == _after.c.id,
        or_(
            users.c.suspended_at.is_distinct_from(_suspended_at),
            users.c.suspended_reason.is_distinct_from(_suspended_reason),
            users.c.is_admin != _after.c.is_admin,
            _after.c.email_verified != EMAIL_VERIFIED,
        ),
    )
    .values(
        suspended_at=_suspended_at,
        suspended_reason=_suspended_reason,
        is_admin=_after.c.is_admin,
        email_verified=_after.c.email_verified,
    )
    .returning(*_after.c)
    .cte("changed")
)
_ended = (
    update(sessions)
    .where(sessions.c.user_id == _changed.c.id, _changed.c.suspended, sessions.c.ended_at.is_(None))
    .values(ended_at=NOW)
    .cte("ended")
)
_is_now: dict[str | None, ColumnElement[Any]] = {
    "email_verified": _after.c.email_verified,
    "is_staff": _after.c.is_admin,
    "suspended_at": _suspended_at.label("suspended_at"),
}
_update: Select[*tuple[Any, ...]] = (
    select(*(_is_now.get(column.key, column) for column in LISTED), _suspended_reason)
    .join(_after, _after.c.id == users.c.id)
    .add_cte(_ended, audit.recorded("update_member", _changed, _before))
    .execution_options(commit_in_flight=True)
)
_others = select(exists().where(users.c.is_admin, users.c.suspended_at.is_(None), THERE, users.c.id != CALLER_ID))


def change(connection: Connection, caller: Caller, member_id: int, wanted: Change, *, now: datetime) -> ChangedMember:
    """Change what staff may change of a member; a suspension ends their sessions.

    Nobody changes their own rights, and whoever changes another's has theirs to the end: so there is always one left.

    Raises
    ------
    NotFound: or erased.
    OwnRights
    LastStaff: the caller alone is staff, and would not be.
    Unauthenticated, AccountSuspended, Forbidden
    """
    parameters = caller.parameters(now) | {f"given_{name}": value for name, value in asdict(wanted).items()}
    parameters["member_id"] = member_id
    if member_id == caller.user_id and (wanted.suspended, wanted.is_admin) != (None, None):
        access.explain(connection, caller, now=now, staff=True)
        leaving = wanted.suspended or wanted.is_admin is False
        others = connection.execute(_others, parameters).scalar_one()
        raise LastStaff if leaving and not others else OwnRights
    connection.execute(_held, parameters)
    row = access.one_or_none(connection, _update, caller, parameters, now=now, staff=True)
    if row is None:
        raise NotFound
    return ChangedMember(*row)


_NAME = bindparam("name", type_=Text)
_named = (
    select(users.c.id, users.c.username, users.c.is_admin, users.c.suspended_at)
    .where(or_(users.c.username == _NAME, users.c.username_key == func.lower(_NAME)), THERE)
    .order_by((users.c.username == _NAME).desc())
    .limit(1)
    .with_for_update(key_share=True)
    .cte("named")
)
_granted = (
    update(users)
    .where(users.c.id == _named.c.id, _named.c.suspended_at.is_(None), ~_named.c.is_admin)
    .values(is_admin=True)
    .returning(users.c.id)
    .cte("granted")
)
_grant = (
    select(_named.c.id, _named.c.username, _granted.c.id.is_not(None), _named.c.suspended_at)
    .outerjoin(_granted, _granted.c.id == _named.c.id)
    .execution_options(commit_in_flight=True)
)


def grant_staff(connection: Connection, username: str) -> Grant:
    """Make a member one of the staff: who goes by exactly this name, or else ignoring case.

    Raises
    ------
    NotFound: nobody does.
    Conflict: they are suspended.
    """
    row = connection.execute(_grant, {"name": username}).one_or_none()
    if row is None:
        raise NotFound(f"There is no member {username!r}")
    *grant, suspended_at = row
    if suspended_at is not None:
        raise Conflict(f"{row.username!r} is suspended: another of the staff must end that first")
    return Grant(*grant)

"""Staff's changes to members: suspension, staff rights, verified e-mail addresses, and the end of a link to a uid."""

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

from goatedvips.domain import access, audit, erased_identities
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.domain.members.search import (
    CALLER_IS_STAFF,
    EMAIL_VERIFIED,
    MEMBER_COLUMNS,
    MEMBER_ID,
    NOT_ERASED,
    Member,
)
from goatedvips.domain.notifications.outbox import queued
from goatedvips.errors import Conflict, LastStaff, NotFound, OwnRights
from goatedvips.models.accounts import sessions, users


@dataclass(frozen=True, slots=True)
class ChangedMember(Member):
    """A member after a change by staff."""

    suspended_reason: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """A change to a member; None: no change.

    Parameters
    ----------
    reason: why the change is made; required to suspend and to end a link.
    ends_link: whether the link to the casino account ends.
    """

    suspended: bool | None = None
    reason: str | None = None
    is_admin: bool | None = None
    email_verified: bool | None = None
    ends_link: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """A staff member, and whether this grant made them staff."""

    user_id: int
    username: str
    granted: bool


_SUSPENDED = bindparam("given_suspended", type_=Boolean)
_REASON = bindparam("given_reason", type_=Text)
_ENDS_LINK = bindparam("given_ends_link", type_=Boolean)
# Locks both rows in the order of ids, so that two staff members who revoke each other's rights at once cannot deadlock.
# The change is a later statement, so that it sees the caller's rights as the other transaction left them.
_lock_both = (
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
        users.c.uid,
    )
    .where(CALLER_IS_STAFF, users.c.id == MEMBER_ID, NOT_ERASED)
    .cte("before")
)
_after = select(
    _before.c.id,
    func.coalesce(_SUSPENDED, _before.c.suspended).label("suspended"),
    # The audit log records the reason of any change; the row of `users` has only the reason of the suspension.
    case((_SUSPENDED.is_(None), func.coalesce(_REASON, _before.c.reason)), else_=_REASON).label("reason"),
    func.coalesce(bindparam("given_is_admin", type_=Boolean), _before.c.is_admin).label("is_admin"),
    func.coalesce(bindparam("given_email_verified", type_=Boolean), _before.c.email_verified).label("email_verified"),
    case((~_ENDS_LINK, _before.c.uid)).label("uid"),
).cte("after")
_WITHOUT_LINK = {"verified": False, "total_wager": 0, "wager_today": 0, "wager_week": 0, "wager_month": 0}
_suspended_at = case((_after.c.suspended, func.coalesce(users.c.suspended_at, NOW)), else_=null())
_suspended_reason = case((_SUSPENDED.is_(None), users.c.suspended_reason), (_SUSPENDED, _REASON), else_=null())
_update_member = (
    update(users)
    .where(
        users.c.id == _after.c.id,
        or_(
            users.c.suspended_at.is_distinct_from(_suspended_at),
            users.c.suspended_reason.is_distinct_from(_suspended_reason),
            users.c.is_admin != _after.c.is_admin,
            _after.c.email_verified != EMAIL_VERIFIED,
            _after.c.uid.is_distinct_from(users.c.uid),
        ),
    )
    .values(
        suspended_at=_suspended_at,
        suspended_reason=_suspended_reason,
        is_admin=_after.c.is_admin,
        email_verified=_after.c.email_verified,
        uid=_after.c.uid,
        **{name: case((_ENDS_LINK, of_nobody), else_=users.c[name]) for name, of_nobody in _WITHOUT_LINK.items()},
    )
    .returning(*_after.c)
    .cte("update_member")
)
_end_sessions = (
    update(sessions)
    .where(sessions.c.user_id == _update_member.c.id, _update_member.c.suspended, sessions.c.ended_at.is_(None))
    .values(ended_at=NOW)
    .cte("end_sessions")
)
_ended_link = (
    select(users.c.id, users.c.uid, users.c.email, users.c.excluded_until, users.c.excluded_permanently)
    .join(_before, _before.c.id == users.c.id)
    .where(_ENDS_LINK, users.c.uid.is_not(None))
    .cte("ended_link")
)
# The exclusion of who gives the uid up applies to the next member who links it.
_remember_uid = erased_identities.remember(
    select(
        erased_identities.identity("uid", _ended_link.c.uid),
        _ended_link.c.excluded_until,
        _ended_link.c.excluded_permanently,
        _ended_link.c.id,
    ).where(access.is_excluded(_ended_link.c))
).cte("remember_uid")
_notification = select(
    _ended_link.c.id.label("user_id"),
    _ended_link.c.email,
    func.jsonb_build_object("uid", _ended_link.c.uid, "reason", _REASON).label("payload"),
)
_new_columns: dict[str | None, ColumnElement[Any]] = {
    "uid": _after.c.uid,
    "verified": case((_ENDS_LINK, False), else_=users.c.verified).label("verified"),
    "total_wager": case((_ENDS_LINK, 0), else_=users.c.total_wager).label("total_wager"),
    "email_verified": _after.c.email_verified,
    "is_staff": _after.c.is_admin.label("is_staff"),
    "suspended_at": _suspended_at.label("suspended_at"),
}
_change_member: Select[*tuple[Any, ...]] = (
    select(
        *(_new_columns.get(column.key, column) for column in MEMBER_COLUMNS),
        _suspended_reason.label("suspended_reason"),
    )
    .join(_after, _after.c.id == users.c.id)
    .add_cte(
        _end_sessions,
        _remember_uid,
        *queued("link_ended", _notification),
        audit.recorded("update_member", _update_member, _before),
    )
    .execution_options(commit_in_flight=True)
)
_other_staff_exist = select(
    exists().where(users.c.is_admin, users.c.suspended_at.is_(None), NOT_ERASED, users.c.id != CALLER_ID)
)


def change(connection: Connection, caller: Caller, member_id: int, wanted: Change, *, now: datetime) -> ChangedMember:
    """Change a member. A suspension ends their sessions. With the link to a casino account its totals go.

    Nobody changes their own rights, and the caller stays staff until this change commits, so one staff member always
    remains.

    Raises
    ------
    NotFound: there is no such member, or they are erased.
    OwnRights
    LastStaff: the caller is the only staff member, and would no longer be one.
    Unauthenticated, AccountSuspended, Forbidden
    """
    parameters = caller.parameters(now) | {f"given_{name}": value for name, value in asdict(wanted).items()}
    parameters["member_id"] = member_id
    if member_id == caller.user_id and (wanted.suspended, wanted.is_admin, wanted.ends_link) != (None, None, False):
        access.explain(connection, caller, now=now, staff=True)
        leaving = wanted.suspended or wanted.is_admin is False
        others = connection.execute(_other_staff_exist, parameters).scalar_one()
        raise LastStaff if leaving and not others else OwnRights
    connection.execute(_lock_both, parameters)
    row = access.one_or_none(connection, _change_member, caller, parameters, now=now, staff=True)
    if row is None:
        raise NotFound
    return ChangedMember(**row._mapping)


_NAME = bindparam("name", type_=Text)
_select_named = (
    select(users.c.id, users.c.username, users.c.is_admin, users.c.suspended_at)
    .where(or_(users.c.username == _NAME, users.c.username_key == func.lower(_NAME)), NOT_ERASED)
    .order_by((users.c.username == _NAME).desc())
    .limit(1)
    .with_for_update(key_share=True)
    .cte("named")
)
_set_staff = (
    update(users)
    .where(users.c.id == _select_named.c.id, _select_named.c.suspended_at.is_(None), ~_select_named.c.is_admin)
    .values(is_admin=True)
    .returning(users.c.id)
    .cte("set_staff")
)
_grant_staff = (
    select(
        _select_named.c.id.label("user_id"),
        _select_named.c.username,
        _set_staff.c.id.is_not(None).label("granted"),
        _select_named.c.suspended_at,
    )
    .outerjoin(_set_staff, _set_staff.c.id == _select_named.c.id)
    .execution_options(commit_in_flight=True)
)


def grant_staff(connection: Connection, username: str) -> Grant:
    """Make the member with this username staff; it is matched exactly, then ignoring case.

    Raises
    ------
    NotFound: there is no such member.
    Conflict: the member is suspended.
    """
    row = connection.execute(_grant_staff, {"name": username}).one_or_none()
    if row is None:
        raise NotFound(f"There is no member {username!r}")
    if row.suspended_at is not None:
        raise Conflict(f"{row.username!r} is suspended: another staff member must lift the suspension first")
    return Grant(row.user_id, row.username, row.granted)

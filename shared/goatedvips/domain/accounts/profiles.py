"""Members' own accounts and their public profiles; `me` reads the own account."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Connection, Row, Select, bindparam, case, func, select, update

from goatedvips.domain import access
from goatedvips.domain.access import Caller
from goatedvips.domain.wagers.tiers import IN_FORCE
from goatedvips.errors import NotFound
from goatedvips.models.accounts import users


@dataclass(frozen=True, slots=True)
class Profile:
    """A member's public profile, without the username if the member hides it."""

    id: int
    username: str | None
    bio: str | None
    profile_color: str | None
    verified: bool
    tier: str | None
    joined: datetime


_next = (
    select(IN_FORCE.rungs)
    .where(IN_FORCE.rungs.c.position == func.coalesce(IN_FORCE.position(users.c.tier), 0) + 1)
    .correlate(users)
)
_next_name = _next.with_only_columns(IN_FORCE.rungs.c.name).scalar_subquery()
_next_min_wager = _next.with_only_columns(IN_FORCE.rungs.c.min_wager).scalar_subquery()
_ME = (
    users.c.id,
    users.c.username,
    users.c.email,
    func.coalesce(users.c.email_verified, False).label("email_verified"),
    users.c.is_admin.label("is_staff"),
    users.c.bio,
    users.c.profile_color,
    users.c.verified,
    users.c.uid,
    users.c.hide_name,
    users.c.total_wager,
    users.c.wager_today,
    users.c.wager_week,
    users.c.wager_month,
    users.c.tier,
    _next_name.label("next_tier"),
    case((_next_min_wager.is_not(None), func.greatest(_next_min_wager - users.c.total_wager, 0))).label("missing"),
    users.c.excluded_until,
    users.c.excluded_permanently,
    users.c.created_at,
    users.c.last_active,
)
_member = access.member()
_reader = access.member(only_reads=True)
select_me: Select[Any] = select(*_ME).join(_reader, _reader.c.id == users.c.id)

_NEW_BIO = bindparam("new_bio", type_=users.c.bio.type)
_update_profile = (
    update(users)
    .where(users.c.id == _member.c.id)
    .values(
        bio=case((bindparam("gives_bio", type_=Boolean), _NEW_BIO), else_=users.c.bio),
        profile_color=func.coalesce(bindparam("new_color", type_=users.c.profile_color.type), users.c.profile_color),
        hide_name=func.coalesce(bindparam("new_hiding", type_=Boolean), users.c.hide_name),
    )
    .returning(*_ME)
    .execution_options(commit_in_flight=True)
)


def change(connection: Connection, caller: Caller, given: Mapping[str, object], *, now: datetime) -> Row[Any]:
    """Change the caller's profile and return their account.

    Parameters
    ----------
    given: `bio`, `profile_color` and `hide_name`; absent ones do not change.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    new = {
        "gives_bio": "bio" in given,
        "new_bio": given.get("bio"),
        "new_color": given.get("profile_color"),
        "new_hiding": given.get("hide_name"),
    }
    return access.one(connection, _update_profile, caller, new, now=now)


# A suspended account has no public profile: its bio may be the reason for the suspension. A shell is nobody's account.
_select_profile = select(
    users.c.id,
    case((~users.c.hide_name, users.c.username)).label("username"),
    users.c.bio,
    users.c.profile_color,
    users.c.verified,
    users.c.tier,
    users.c.created_at.label("joined"),
).where(
    users.c.id == bindparam("profile_id"),
    users.c.erased_at.is_(None),
    users.c.suspended_at.is_(None),
    ~users.c.is_shell,
)


def read_profile(connection: Connection, user_id: int) -> Profile:
    """Return a member's public profile.

    Raises
    ------
    NotFound: there is no such member, or they are suspended or erased, or the account is a shell.
    """
    row = connection.execute(_select_profile, {"profile_id": user_id}).one_or_none()
    if row is None:
        raise NotFound
    return Profile(**row._mapping)

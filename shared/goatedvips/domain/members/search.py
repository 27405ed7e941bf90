"""Members as staff find them."""

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, bindparam, exists, func, or_, select

from goatedvips.domain import access, pagination
from goatedvips.domain.access import Caller
from goatedvips.domain.pagination import Keyset
from goatedvips.domain.wagers import tiers
from goatedvips.errors import ValidationFailed
from goatedvips.models.accounts import users
from goatedvips.models.wagers import tier_versions


@dataclass(frozen=True, slots=True)
class Member:
    """A member in a list."""

    id: int
    username: str
    email: str
    email_verified: bool
    is_staff: bool
    verified: bool
    uid: str | None
    tier: str | None
    total_wager: Decimal
    suspended_at: datetime | None
    excluded_until: datetime | None
    excluded_permanently: bool
    created_at: datetime
    last_active: datetime | None


@dataclass(frozen=True, slots=True)
class Search:
    """Which members are looked for; none of it: all.

    Parameters
    ----------
    q: what the username or the e-mail address begins with, ignoring case.
    verified: whether a casino account is linked.
    tier: by its name.
    """

    id: int | None = None
    q: str | None = None
    uid: str | None = None
    verified: bool | None = None
    excluded: bool | None = None
    suspended: bool | None = None
    tier: str | None = None


_staff = access.staff()
BY_STAFF = exists(select(_staff.c.id))
"""Whether the caller is one of the staff, as the database knows them."""
THERE = users.c.erased_at.is_(None)
"""Whether a member has not been erased."""
MEMBER_ID = bindparam("member_id", type_=users.c.id.type)
EMAIL_VERIFIED = func.coalesce(users.c.email_verified, False).label("email_verified")
LISTED: tuple[ColumnElement[Any], ...] = (
    users.c.id,
    users.c.username,
    users.c.email,
    EMAIL_VERIFIED,
    users.c.is_admin.label("is_staff"),
    users.c.verified,
    users.c.uid,
    tiers.tier_of(users.c.total_wager).label("tier"),
    users.c.total_wager,
    users.c.suspended_at,
    users.c.excluded_until,
    users.c.excluded_permanently,
    users.c.created_at,
    users.c.last_active,
)
"""What is told of a member, in the order of `Member`."""
_PREFIX = bindparam("prefix", type_=Text)
_TIER = bindparam("tier", type_=Text)


def _wanted(name: str, value: ColumnElement[Any]) -> ColumnElement[bool]:
    """A condition on a value where it is asked for; the planner, who knows what is, drops it where it is not."""
    asked = bindparam(f"wanted_{name}", type_=value.type)
    return or_(asked.is_(None), value == asked)


_NEWEST_FIRST = Keyset(users.c.id)
_newest_first = _NEWEST_FIRST.page_of(
    select(*LISTED).where(
        BY_STAFF,
        THERE,
        _wanted("id", users.c.id),
        _wanted("uid", users.c.uid),
        _wanted("verified", users.c.verified),
        _wanted("excluded", access.is_excluded()),
        _wanted("suspended", users.c.suspended_at.is_not(None)),
        or_(
            _PREFIX.is_(None),
            func.lower(users.c.username).like(func.lower(_PREFIX)),
            func.lower(users.c.email).like(func.lower(_PREFIX)),
        ),
        or_(_TIER.is_(None), tiers.is_in_tier(users.c.total_wager, _TIER)),
    )
)
_tiers_in_force = select(tier_versions.c.tiers).order_by(tier_versions.c.id.desc()).limit(1)


def newest(
    connection: Connection, caller: Caller, search: Search, *, limit: int, cursor: str | None, now: datetime
) -> pagination.Page[Member]:
    """The members that are looked for, newest first; who was erased is none.

    Raises
    ------
    ValidationFailed: no page gave this cursor, or no tier has this name.
    Unauthenticated, AccountSuspended, Forbidden
    """
    asked = {f"wanted_{name}": value for name, value in asdict(search).items() if name not in {"q", "tier"}}
    prefix = None if search.q is None else re.sub(r"([\\%_])", r"\\\1", search.q) + "%"

    def refuse() -> None:
        access.explain(connection, caller, now=now, staff=True)
        if search.tier is not None:
            tiers_in_force = connection.execute(_tiers_in_force).scalar_one()
            if search.tier not in [tier["name"] for tier in tiers_in_force]:
                raise ValidationFailed(errors=[{"pointer": "/tier", "detail": "there is no such tier"}])

    return pagination.newest(
        connection,
        _newest_first,
        caller.parameters(now) | asked | {"prefix": prefix, "tier": search.tier},
        lambda row: Member(**row._mapping),
        by=_NEWEST_FIRST,
        limit=limit,
        cursor=cursor,
        refuse=refuse,
    )

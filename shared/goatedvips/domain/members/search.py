"""Staff's search for members."""

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
    """The conditions of a search; None: no condition.

    Parameters
    ----------
    q: the beginning of the username or the e-mail address, ignoring case.
    verified: whether a casino account is linked.
    tier: the name of the tier of the all-time wager.
    """

    id: int | None = None
    q: str | None = None
    uid: str | None = None
    verified: bool | None = None
    excluded: bool | None = None
    suspended: bool | None = None
    tier: str | None = None


_staff = access.staff()
CALLER_IS_STAFF = exists(select(_staff.c.id))
"""Whether the caller is staff, with a live session."""
NOT_ERASED = users.c.erased_at.is_(None)
"""Whether a row is a member's who has not been erased."""
MEMBER_ID = bindparam("member_id", type_=users.c.id.type)
EMAIL_VERIFIED = func.coalesce(users.c.email_verified, False).label("email_verified")
MEMBER_COLUMNS: tuple[ColumnElement[Any], ...] = (
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
"""The columns of `Member`, by the names of its fields."""
_PREFIX = bindparam("prefix", type_=Text)
_TIER = bindparam("tier", type_=Text)


def _matches(name: str, value: ColumnElement[Any]) -> ColumnElement[bool]:
    """A condition that holds for every row if the parameter is null; the planner then drops it."""
    wanted = bindparam(f"wanted_{name}", type_=value.type)
    return or_(wanted.is_(None), value == wanted)


_NEWEST_FIRST = Keyset(users.c.id)
_select_members = _NEWEST_FIRST.page_of(
    select(*MEMBER_COLUMNS).where(
        CALLER_IS_STAFF,
        NOT_ERASED,
        ~users.c.is_shell,
        _matches("id", users.c.id),
        _matches("uid", users.c.uid),
        _matches("verified", users.c.verified),
        _matches("excluded", access.is_excluded()),
        _matches("suspended", users.c.suspended_at.is_not(None)),
        or_(
            _PREFIX.is_(None),
            func.lower(users.c.username).like(func.lower(_PREFIX)),
            func.lower(users.c.email).like(func.lower(_PREFIX)),
        ),
        or_(_TIER.is_(None), tiers.is_in_tier(users.c.total_wager, _TIER)),
    )
)
_select_tiers = select(tier_versions.c.tiers).order_by(tier_versions.c.id.desc()).limit(1)


def find_members(
    connection: Connection, caller: Caller, search: Search, *, limit: int, cursor: str | None, now: datetime
) -> pagination.Page[Member]:
    """Return the members that match the search, newest first; without erased members and shells.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list, or no tier has this name.
    Unauthenticated, AccountSuspended, Forbidden
    """
    wanted = {f"wanted_{name}": value for name, value in asdict(search).items() if name not in {"q", "tier"}}
    prefix = None if search.q is None else re.sub(r"([\\%_])", r"\\\1", search.q) + "%"

    def refuse() -> None:
        access.explain(connection, caller, now=now, staff=True)
        if search.tier is not None:
            tiers_in_force = connection.execute(_select_tiers).scalar_one()
            if search.tier not in [tier["name"] for tier in tiers_in_force]:
                raise ValidationFailed(errors=[{"pointer": "/tier", "detail": "there is no such tier"}])

    return pagination.newest(
        connection,
        _select_members,
        caller.parameters(now) | wanted | {"prefix": prefix, "tier": search.tier},
        lambda row: Member(**row._mapping),
        by=_NEWEST_FIRST,
        limit=limit,
        cursor=cursor,
        refuse=refuse,
    )

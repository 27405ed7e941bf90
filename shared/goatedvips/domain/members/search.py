"""Staff's search for members."""

import re
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Text,
    bindparam,
    case,
    collate,
    column,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    union_all,
    values,
)

from goatedvips.domain import access, pagination
from goatedvips.domain.access import Caller
from goatedvips.domain.pagination import PAGE_ROWS, Keyset
from goatedvips.domain.wagers import tiers
from goatedvips.errors import ValidationFailed
from goatedvips.models.accounts import users


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
    users.c.tier,
    users.c.total_wager,
    users.c.suspended_at,
    users.c.excluded_until,
    users.c.excluded_permanently,
    users.c.created_at,
    users.c.last_active,
)
"""The columns of `Member`, by the names of its fields."""
_IS_MEMBER = (NOT_ERASED, ~users.c.is_shell)
_PREFIX = bindparam("prefix", type_=Text)
# What members can be filtered by. The indexes of the lists begin with these expressions.
_STATE: dict[str, ColumnElement[Any]] = {
    "tier": func.coalesce(users.c.tier, ""),
    "verified": users.c.verified,
    "suspended": users.c.suspended_at.is_not(None),
    "excluded": access.is_excluded(),
}


def _matches(name: str, value: ColumnElement[Any]) -> ColumnElement[bool]:
    """A condition that holds for every row if the parameter is null; the planner then drops it."""
    wanted = bindparam(f"wanted_{name}", type_=value.type)
    return or_(wanted.is_(None), value == wanted)


def _make_states() -> CTE:
    """Return the states that the search allows: every combination of a tier and three flags.

    A page takes rows from the beginning of each state's index range. So it reads few rows, however rare the wanted
    states are, and however many members have others.
    """
    no_tier = select(literal("", Text).label("tier"))
    named = {"tier": union_all(tiers.select_names, no_tier).subquery("tiers").c[0]}
    combined: FromClause = named["tier"].table
    for name in ("verified", "suspended", "excluded"):
        flag = values(column(name, Boolean), name=name).data([(True,), (False,)])
        named[name] = flag.c[name]
        combined = combined.join(flag, true())
    conditions = (_matches(name, value) for name, value in named.items())
    labelled = (value.label(name) for name, value in named.items())
    return select(*labelled).select_from(combined).where(CALLER_IS_STAFF, *conditions).cte("state")


_states = _make_states()
_HAS_STATE = tuple(value == _states.c[name] for name, value in _STATE.items())
_NEWEST_FIRST = Keyset(users.c.id)
_newest_of_state = _NEWEST_FIRST.page_of(select(*MEMBER_COLUMNS).where(*_HAS_STATE, *_IS_MEMBER)).lateral("newest")
_select_newest = (
    select(*_newest_of_state.c)
    .select_from(_states.join(_newest_of_state, true()))
    .order_by(_newest_of_state.c.id.desc())
    .limit(PAGE_ROWS)
)

# With a prefix, the list is in the order of the names that it was found in. In the order of ids, a page would have to
# read either all members with a frequent prefix, or all members who are newer than those with a rare one.
_BY_NAME = Keyset(column("name", Text), column("id", users.c.id.type), ascending=True)
# A scan of an index starts at the position of the row comparison, even if LIKE has a later lower bound. So the position
# is never before the prefix. At the prefix itself, it is before every id.
_after_name = collate(bindparam("after_name", type_=Text), "C")
_lowest_name = collate(func.lower(bindparam("q", type_=Text)), "C")
_start_name = func.greatest(_after_name, _lowest_name)
_start_id = case((_after_name < _lowest_name, 0), else_=bindparam("after_id", type_=BigInteger))


def _with_prefix(name: ColumnElement[str], *conditions: ColumnElement[bool]) -> FromClause:
    """Return the first members of a state, after the page's position, whose name begins with the prefix."""
    key = collate(func.lower(name), "C")
    return (
        select(key.label("name"), *MEMBER_COLUMNS)
        .where(
            *_HAS_STATE,
            *_IS_MEMBER,
            *conditions,
            key.like(func.lower(_PREFIX)),
            tuple_(key, users.c.id) > tuple_(_start_name, _start_id),
        )
        .order_by(key, users.c.id)
        .limit(PAGE_ROWS)
        .lateral()
    )


# A member whose username has the prefix is not found again by the e-mail address. Both have it if, and only if, the
# beginning that they have in common is not shorter than the prefix. Each shorter length is an index range of its own.
_common_length = func.common_prefix_length(func.lower(users.c.username), func.lower(users.c.email), type_=Integer)
_shorter = (
    func.generate_series(0, func.length(func.lower(bindparam("q", type_=Text))) - 1)
    .table_valued(column("length", Integer), name="shorter")
    .render_derived()
)
_by_username = _with_prefix(users.c.username)
_by_email = _with_prefix(users.c.email, _common_length == _shorter.c.length)
_found = union_all(
    select(*_by_username.c).select_from(_states.join(_by_username, true())),
    select(*_by_email.c).select_from(_states.join(_shorter, true()).join(_by_email, true())),
).subquery("found")
_select_by_prefix = select(_found).order_by(*(_found.c[name] for name in _BY_NAME.names)).limit(PAGE_ROWS)

# An id or a uid is of one member at most.
_select_one = _NEWEST_FIRST.page_of(
    select(*MEMBER_COLUMNS).where(
        CALLER_IS_STAFF,
        *_IS_MEMBER,
        _matches("id", users.c.id),
        _matches("uid", users.c.uid),
        *(_matches(name, value) for name, value in _STATE.items()),
        or_(
            _PREFIX.is_(None),
            func.lower(users.c.username).like(func.lower(_PREFIX)),
            func.lower(users.c.email).like(func.lower(_PREFIX)),
        ),
    )
)


def find_members(
    connection: Connection, caller: Caller, search: Search, *, limit: int, cursor: str | None, now: datetime
) -> pagination.Page[Member]:
    """Return the members that match the search, without erased members and shells.

    The newest come first; with `q`, they are in the order of the usernames or addresses that begin with it.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list, or no tier has this name.
    Unauthenticated, AccountSuspended, Forbidden
    """
    wanted = {f"wanted_{name}": value for name, value in asdict(search).items() if name != "q"}
    prefix = None if search.q is None else re.sub(r"([\\%_])", r"\\\1", search.q) + "%"
    statement, keyset = _select_newest, _NEWEST_FIRST
    if search.id is not None or search.uid is not None:
        statement = _select_one
    elif search.q is not None:
        statement, keyset = _select_by_prefix, _BY_NAME

    def refuse() -> None:
        access.explain(connection, caller, now=now, staff=True)
        if search.tier is not None and search.tier not in connection.scalars(tiers.select_names).all():
            raise ValidationFailed(errors=[{"pointer": "/tier", "detail": "there is no such tier"}])

    return pagination.newest(
        connection,
        statement,
        caller.parameters(now) | wanted | {"prefix": prefix, "q": search.q},
        lambda row: Member(**{field.name: row._mapping[field.name] for field in fields(Member)}),
        by=keyset,
        limit=limit,
        cursor=cursor,
        refuse=refuse,
    )

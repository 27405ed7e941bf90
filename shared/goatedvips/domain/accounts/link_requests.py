"""Members' requests to link a casino account, with all that staff need to decide them (`link_decisions`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, FromClause, Row, ScalarSelect, Select, and_, func, select, true
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from goatedvips.domain import access, erased_identities, pagination
from goatedvips.domain.access import Caller
from goatedvips.domain.accounts.links import PENDING
from goatedvips.domain.pagination import Keyset
from goatedvips.models.accounts import account_links as links
from goatedvips.models.accounts import users
from goatedvips.models.wagers import wager_accounts

type Status = Literal["pending", "decided"]


OTHER_REQUESTS = 20
"""How many other members with a pending request for the same uid a link is returned with."""


@dataclass(frozen=True, slots=True)
class Person:
    """A member or a staff member."""

    id: int
    username: str


@dataclass(frozen=True, slots=True)
class CasinoAccount:
    """A casino account as the feed last reported it."""

    name: str | None
    total_wager: Decimal
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Link:
    """A member's request, and the decision on it."""

    id: int
    user: Person
    uid: str
    requested_at: datetime
    decision: str | None
    reason: str | None
    decided_at: datetime | None
    decided_by: Person | None
    linked_uid: str | None
    """The uid that the member is linked to now."""
    excluded: bool
    """Whether the member is excluded from play."""
    uid_excluded: bool
    """Whether an exclusion is remembered for the requested uid."""
    other_requests: Sequence[Person]
    """Other members whose requests for the same uid are pending, at most `OTHER_REQUESTS`."""
    taken_by: Person | None = None
    """Another member who is linked to the requested uid."""
    casino_account: CasinoAccount | None = None


_staff = access.staff()
_deciders = users.alias("deciders")
HOLDERS = users.alias("holders")
_requesters = users.alias("requesters")
_others = links.alias("others")


def _other_requests(link: FromClause) -> ScalarSelect[Any]:
    """Return the members of other pending requests for a link's uid as a JSON array; null if there are none."""
    rows = (
        select(_requesters.c.id, _requesters.c.username, _others.c.id.label("request_id"))
        .join(_others, _others.c.user_id == _requesters.c.id)
        .where(_others.c.uid == link.c.uid, _others.c.decision.is_(None), _others.c.id != link.c.id)
        .order_by(_others.c.id)
        .limit(OTHER_REQUESTS)
        .correlate(link)
        .subquery("other_requests")
    )
    person = func.jsonb_build_object("id", rows.c.id, "username", rows.c.username)
    return select(func.jsonb_agg(aggregate_order_by(person, rows.c.request_id), type_=JSONB)).scalar_subquery()


def select_links(
    start: FromClause, link: FromClause, linked_uid: ColumnElement[Any], excluded: ColumnElement[bool]
) -> Select[Any]:
    """Select links with all that staff need to decide them.

    Parameters
    ----------
    start: what to select from; it includes `link`.
    linked_uid: the uid that the member is linked to.
    excluded: whether the member is excluded from play.
    """
    remembered = erased_identities.remembered_exclusion("uid", link.c.uid).correlate(link).lateral("remembered")
    return select(
        link.c.id,
        link.c.uid,
        link.c.requested_at,
        link.c.decision,
        link.c.reason,
        link.c.decided_at,
        users.c.id.label("user_id"),
        users.c.username,
        linked_uid.label("linked_uid"),
        excluded.label("excluded"),
        access.is_excluded(remembered.c).label("uid_excluded"),
        _other_requests(link).label("other_requests"),
        _deciders.c.id.label("decider_id"),
        _deciders.c.username.label("decider"),
        HOLDERS.c.id.label("holder_id"),
        HOLDERS.c.username.label("holder"),
        wager_accounts.c.name,
        wager_accounts.c.total_wager,
        wager_accounts.c.read_at,
    ).select_from(
        start.outerjoin(users, users.c.id == link.c.user_id)
        .outerjoin(_deciders, _deciders.c.id == link.c.decided_by)
        .outerjoin(HOLDERS, and_(HOLDERS.c.uid == link.c.uid, HOLDERS.c.id != link.c.user_id, ~HOLDERS.c.is_shell))
        .outerjoin(wager_accounts, wager_accounts.c.uid == link.c.uid)
        .outerjoin(remembered, true())
    )


def make_link(row: Row[Any]) -> Link:
    """Build a link from a row of `select_links`."""
    return Link(
        id=row.id,
        user=Person(row.user_id, row.username),
        uid=row.uid,
        requested_at=row.requested_at,
        decision=row.decision,
        reason=row.reason,
        decided_at=row.decided_at,
        decided_by=None if row.decider_id is None else Person(row.decider_id, row.decider),
        linked_uid=row.linked_uid,
        excluded=row.excluded,
        uid_excluded=row.uid_excluded,
        other_requests=[Person(**person) for person in row.other_requests or ()],
        taken_by=None if row.holder_id is None else Person(row.holder_id, row.holder),
        casino_account=None if row.read_at is None else CasinoAccount(row.name, row.total_wager, row.read_at),
    )


_OLDEST_FIRST = Keyset(links.c.id, ascending=True)
_NEWEST_FIRST = Keyset(links.c.id)
_pending_page = _OLDEST_FIRST.page_of(select(links).where(PENDING)).subquery("link")
_decided_page = _NEWEST_FIRST.page_of(select(links).where(~PENDING)).subquery("link")
# A staff member's own row is returned even without any link, so no row at all means that the caller is not staff.
_select_pending = select_links(
    _staff.outerjoin(_pending_page, true()), _pending_page, users.c.uid, access.is_excluded()
).order_by(_pending_page.c.id)
_select_decided = select_links(
    _staff.outerjoin(_decided_page, true()), _decided_page, users.c.uid, access.is_excluded()
).order_by(_decided_page.c.id.desc())


def read_page(
    connection: Connection, caller: Caller, status: Status, *, limit: int, cursor: str | None, now: datetime
) -> pagination.Page[Link]:
    """Return a page of pending requests, the oldest first, or of decided ones, the newest first.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    Unauthenticated, AccountSuspended, Forbidden
    """
    statement, keyset = (_select_pending, _OLDEST_FIRST) if status == "pending" else (_select_decided, _NEWEST_FIRST)
    return pagination.newest(
        connection,
        statement,
        caller.parameters(now),
        make_link,
        by=keyset,
        limit=limit,
        cursor=cursor,
        refuse=lambda: access.explain(connection, caller, now=now, staff=True),
    )

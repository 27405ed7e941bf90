"""Staff's decisions on requests to link a casino account. A uid is linked to at most one member."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    null,
    select,
    true,
    update,
)
from sqlalchemy.exc import IntegrityError

from goatedvips.domain import access, audit, erased_identities, pagination, unique_keys
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.domain.accounts.links import PENDING
from goatedvips.domain.notifications.outbox import queued
from goatedvips.domain.pagination import Keyset
from goatedvips.errors import LinkDecided, NotFound, OwnRights, UidTaken
from goatedvips.models.accounts import account_links as links
from goatedvips.models.accounts import users
from goatedvips.models.wagers import wager_accounts

type Status = Literal["pending", "decided"]
type Decision = Literal["approved", "refused"]


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
    taken_by: Person | None = None
    """Another member who is linked to the requested uid."""
    casino_account: CasinoAccount | None = None


_staff = access.staff()
_deciders = users.alias("deciders")
_holders = users.alias("holders")


def _select_links(start: FromClause, link: FromClause, linked_uid: ColumnElement[Any]) -> Select[Any]:
    """Select links with all that staff need to decide them.

    Parameters
    ----------
    start: what to select from; it includes `link`.
    linked_uid: the uid that the member is linked to.
    """
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
        _deciders.c.id.label("decider_id"),
        _deciders.c.username.label("decider"),
        _holders.c.id.label("holder_id"),
        _holders.c.username.label("holder"),
        wager_accounts.c.name,
        wager_accounts.c.total_wager,
        wager_accounts.c.read_at,
    ).select_from(
        start.outerjoin(users, users.c.id == link.c.user_id)
        .outerjoin(_deciders, _deciders.c.id == link.c.decided_by)
        .outerjoin(_holders, and_(_holders.c.uid == link.c.uid, _holders.c.id != link.c.user_id))
        .outerjoin(wager_accounts, wager_accounts.c.uid == link.c.uid)
    )


def _make_link(row: Row[Any]) -> Link:
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
        taken_by=None if row.holder_id is None else Person(row.holder_id, row.holder),
        casino_account=None if row.read_at is None else CasinoAccount(row.name, row.total_wager, row.read_at),
    )


_OLDEST_FIRST = Keyset(links.c.id, ascending=True)
_NEWEST_FIRST = Keyset(links.c.id)
_pending_page = _OLDEST_FIRST.page_of(select(links).where(PENDING)).subquery("link")
_decided_page = _NEWEST_FIRST.page_of(select(links).where(~PENDING)).subquery("link")
# A staff member's own row is returned even without any link, so no row at all means that the caller is not staff.
_select_pending = _select_links(_staff.outerjoin(_pending_page, true()), _pending_page, users.c.uid).order_by(
    _pending_page.c.id
)
_select_decided = _select_links(_staff.outerjoin(_decided_page, true()), _decided_page, users.c.uid).order_by(
    _decided_page.c.id.desc()
)


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
        _make_link,
        by=keyset,
        limit=limit,
        cursor=cursor,
        refuse=lambda: access.explain(connection, caller, now=now, staff=True),
    )


_LINK_ID = bindparam("link_id", type_=links.c.id.type)
_DECISION = bindparam("given_decision", type_=Text)
_REASON = bindparam("given_reason", type_=Text)
_IS_APPROVAL = _DECISION == "approved"
_FIGURES = ("total_wager", "wager_today", "wager_week", "wager_month")
_is_taken = exists().where(_holders.c.uid == links.c.uid, _holders.c.id != links.c.user_id)
# Locks the member and then the request, so that the conditions hold until the decision is written.
_request = (
    select(links.c.id, links.c.user_id, links.c.uid, users.c.uid.label("linked_uid"))
    .select_from(_staff)
    .join(links, links.c.id == _LINK_ID)
    .join(users, users.c.id == links.c.user_id)
    .where(PENDING, links.c.user_id != CALLER_ID, users.c.erased_at.is_(None), ~and_(_IS_APPROVAL, _is_taken))
    .with_for_update(of=[users, links])
    .cte("request")
)
_remembered = erased_identities.remembered_exclusion("uid", _request.c.uid).lateral("remembered")
_approval = (
    select(
        _request.c.user_id,
        _request.c.uid,
        _remembered.c.excluded_until,
        _remembered.c.excluded_permanently,
        *(wager_accounts.c[figure] for figure in _FIGURES),
    )
    .select_from(_request)
    .join(_remembered, true())
    .outerjoin(wager_accounts, wager_accounts.c.uid == _request.c.uid)
    .where(_IS_APPROVAL)
    .cte("approval")
)
# The totals of a uid that the feed has not reported yet are unknown: those of another uid are set to 0.
_link_member = (
    update(users)
    .where(users.c.id == _approval.c.user_id)
    .values(
        {
            "uid": _approval.c.uid,
            "verified": true(),
        }
        | erased_identities.stricter_exclusion(users.c, _approval.c)
        | {
            figure: func.coalesce(_approval.c[figure], case((users.c.uid != _approval.c.uid, 0), else_=users.c[figure]))
            for figure in _FIGURES
        }
    )
    .returning(users.c.uid)
    .cte("link_member")
)
_decide_link = (
    update(links)
    .where(links.c.id == _request.c.id)
    .values(decision=_DECISION, reason=_REASON, decided_at=NOW, decided_by=CALLER_ID)
    .returning(links)
    .cte("decide_link")
)
_notification = (
    select(
        users.c.id.label("user_id"),
        users.c.email,
        func.jsonb_build_object("link_id", _decide_link.c.id).label("payload"),
    )
    .join(_decide_link, _decide_link.c.user_id == users.c.id)
    .where(users.c.email_verified)
)
_linked_uid = func.coalesce(select(_link_member.c.uid).scalar_subquery(), _request.c.linked_uid)
_NONE = cast(null(), Text)
_before = select(
    _request.c.id, _NONE.label("decision"), _NONE.label("reason"), _request.c.linked_uid.label("linked_uid")
).cte("before")
_after = (
    select(_request.c.id, _decide_link.c.decision, _decide_link.c.reason, _linked_uid.label("linked_uid"))
    .join(_decide_link, _decide_link.c.id == _request.c.id)
    .cte("after")
)
_decide = (
    _select_links(_decide_link.join(_request, true()), _decide_link, _linked_uid)
    .add_cte(audit.recorded("decide_link", _after, _before), *queued("link_decided", _notification))
    .execution_options(commit_in_flight=True)
)
_select_present = (
    select(links.c.decision, links.c.user_id, users.c.erased_at)
    .join(users, users.c.id == links.c.user_id)
    .where(links.c.id == _LINK_ID)
)


def decide(
    connection: Connection, caller: Caller, link_id: int, decision: Decision, reason: str | None, *, now: datetime
) -> Link:
    """Approve or refuse a request, and queue the mail that notifies the member.

    An approval links the uid to the member, with the totals that the feed reported for it. An exclusion that is
    remembered for the uid of an erased member applies to the member.

    Raises
    ------
    NotFound: there is no such request, or its member is erased.
    LinkDecided: the request is decided; with the decision.
    OwnRights: the request is the caller's own.
    UidTaken: another member is linked to the uid.
    Unauthenticated, AccountSuspended, Forbidden
    """
    given = {"link_id": link_id, "given_decision": decision, "given_reason": reason}
    parameters = caller.parameters(now) | given
    try:
        row = connection.execute(_decide, parameters).one_or_none()
    except IntegrityError as error:
        if unique_keys.violates(error, "uid"):  # a concurrent approval for another member
            raise UidTaken from error
        raise
    if row is not None:
        return _make_link(row)
    access.explain(connection, caller, now=now, staff=True)
    present = connection.execute(_select_present, parameters).one_or_none()
    if present is None or present.erased_at is not None:
        raise NotFound
    if present.decision is not None:
        raise LinkDecided(decision=present.decision)
    if present.user_id == caller.user_id:
        raise OwnRights("Another staff member has to decide your own request")
    raise UidTaken

"""Decisions on links to casino accounts: staff approve or refuse what a member asked for, and a uid has one member."""

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
    """A member, or one of the staff, by name."""

    id: int
    username: str


@dataclass(frozen=True, slots=True)
class CasinoAccount:
    """What the feed knows of a uid."""

    name: str | None
    total_wager: Decimal
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Link:
    """A member's request, and what was decided."""

    id: int
    user: Person
    uid: str
    requested_at: datetime
    decision: str | None
    reason: str | None
    decided_at: datetime | None
    decided_by: Person | None
    linked_uid: str | None
    """The member's now."""
    taken_by: Person | None = None
    """Another member whose uid it is."""
    casino_account: CasinoAccount | None = None


_staff = access.staff()
_deciders = users.alias("deciders")
_holders = users.alias("holders")


def _told(start: FromClause, link: FromClause, linked_uid: ColumnElement[Any]) -> Select[Any]:
    """Links with all that staff want to know of them.

    Parameters
    ----------
    start: what is read: `link` is in it.
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


def _link(row: Row[Any]) -> Link:
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
_part_pending = _OLDEST_FIRST.page_of(select(links).where(PENDING)).subquery("link")
_part_decided = _NEWEST_FIRST.page_of(select(links).where(~PENDING)).subquery("link")
# The row of who is of the staff is there without links too: nothing at all means that they are not.
_pending = _told(_staff.outerjoin(_part_pending, true()), _part_pending, users.c.uid).order_by(_part_pending.c.id)
_done = _told(_staff.outerjoin(_part_decided, true()), _part_decided, users.c.uid).order_by(_part_decided.c.id.desc())


def page(
    connection: Connection, caller: Caller, status: Status, *, limit: int, cursor: str | None, now: datetime
) -> pagination.Page[Link]:
    """The requests that wait, the oldest first; or those that were decided, the newest first.

    Raises
    ------
    ValidationFailed: no page gave this cursor.
    Unauthenticated, AccountSuspended, Forbidden
    """
    statement, keyset = (_pending, _OLDEST_FIRST) if status == "pending" else (_done, _NEWEST_FIRST)
    return pagination.newest(
        connection,
        statement,
        caller.parameters(now),
        _link,
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
# The member first, then the request, so that what is decided here holds until it is written.
_subject = (
    select(links.c.id, links.c.user_id, links.c.uid, users.c.uid.label("linked_uid"))
    .select_from(_staff)
    .join(links, links.c.id == _LINK_ID)
    .join(users, users.c.id == links.c.user_id)
    .where(PENDING, links.c.user_id != CALLER_ID, users.c.erased_at.is_(None), ~and_(_IS_APPROVAL, _is_taken))
    .with_for_update(of=[users, links])
    .cte("subject")
)
_kept = erased_identities.remembered_exclusion("uid", _subject.c.uid).lateral("kept")
_brought = (
    select(
        _subject.c.user_id,
        _subject.c.uid,
        _kept.c.excluded_until,
        _kept.c.excluded_permanently,
        *(wager_accounts.c[figure] for figure in _FIGURES),
    )
    .select_from(_subject)
    .join(_kept, true())
    .outerjoin(wager_accounts, wager_accounts.c.uid == _subject.c.uid)
    .where(_IS_APPROVAL)
    .cte("brought")
)
# Of an account that the feed has not told of yet the totals are not known: those of another account are not its.
_linked = (
    update(users)
    .where(users.c.id == _brought.c.user_id)
    .values(
        {
            "uid": _brought.c.uid,
            "verified": true(),
        }
        | erased_identities.stricter_exclusion(users.c, _brought.c)
        | {
            figure: func.coalesce(_brought.c[figure], case((users.c.uid != _brought.c.uid, 0), else_=users.c[figure]))
            for figure in _FIGURES
        }
    )
    .returning(users.c.uid)
    .cte("linked")
)
_decided = (
    update(links)
    .where(links.c.id == _subject.c.id)
    .values(decision=_DECISION, reason=_REASON, decided_at=NOW, decided_by=CALLER_ID)
    .returning(links)
    .cte("decided")
)
_notified = (
    select(
        users.c.id.label("user_id"),
        users.c.email,
        func.jsonb_build_object("link_id", _decided.c.id).label("payload"),
    )
    .join(_decided, _decided.c.user_id == users.c.id)
    .where(users.c.email_verified)
)
_linked_uid = func.coalesce(select(_linked.c.uid).scalar_subquery(), _subject.c.linked_uid)
_NONE = cast(null(), Text)
_was = select(
    _subject.c.id, _NONE.label("decision"), _NONE.label("reason"), _subject.c.linked_uid.label("linked_uid")
).cte("was")
_is = (
    select(_subject.c.id, _decided.c.decision, _decided.c.reason, _linked_uid.label("linked_uid"))
    .join(_decided, _decided.c.id == _subject.c.id)
    .cte("is_now")
)
_deciding = (
    _told(_decided.join(_subject, true()), _decided, _linked_uid)
    .add_cte(audit.recorded("decide_link", _is, _was), *queued("link_decided", _notified))
    .execution_options(commit_in_flight=True)
)
_present = (
    select(links.c.decision, links.c.user_id, users.c.erased_at)
    .join(users, users.c.id == links.c.user_id)
    .where(links.c.id == _LINK_ID)
)


def decide(
    connection: Connection, caller: Caller, link_id: int, decision: Decision, reason: str | None, *, now: datetime
) -> Link:
    """Approve or refuse a request; the mail that tells the member commits with it.

    An approval makes the uid the member's, with the totals that the feed has for it. An exclusion that was kept for an
    erased member with this uid goes on.

    Raises
    ------
    NotFound
    LinkDecided: with the decision.
    OwnRights: the request is their own.
    UidTaken: by another member, be it at this moment.
    Unauthenticated, AccountSuspended, Forbidden
    """
    given = {"link_id": link_id, "given_decision": decision, "given_reason": reason}
    parameters = caller.parameters(now) | given
    try:
        row = connection.execute(_deciding, parameters).one_or_none()
    except IntegrityError as error:
        if unique_keys.violates(error, "uid"):  # an approval for another member was faster
            raise UidTaken from error
        raise
    if row is not None:
        return _link(row)
    access.explain(connection, caller, now=now, staff=True)
    present = connection.execute(_present, parameters).one_or_none()
    if present is None or present.erased_at is not None:
        raise NotFound
    if present.decision is not None:
        raise LinkDecided(decision=present.decision)
    if present.user_id == caller.user_id:
        raise OwnRights("Another one of the staff decides your own request")
    raise UidTaken

"""Staff's decisions on requests to link a casino account. A uid is linked to at most one member."""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, Text, and_, bindparam, case, cast, exists, func, null, select, true, update
from sqlalchemy.exc import IntegrityError

from goatedvips.domain import access, audit, erased_identities, unique_keys
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.domain.accounts.link_requests import HOLDERS, Link, make_link, select_links
from goatedvips.domain.accounts.links import PENDING
from goatedvips.domain.notifications.outbox import queued
from goatedvips.domain.wagers import tiers
from goatedvips.errors import LinkDecided, NotFound, OwnRights, UidTaken
from goatedvips.models.accounts import account_links as links
from goatedvips.models.accounts import users
from goatedvips.models.wagers import wager_accounts

type Decision = Literal["approved", "refused"]

_staff = access.staff()
_LINK_ID = bindparam("link_id", type_=links.c.id.type)
_DECISION = bindparam("given_decision", type_=Text)
_REASON = bindparam("given_reason", type_=Text)
_IS_APPROVAL = _DECISION == "approved"
_FIGURES = ("total_wager", "wager_today", "wager_week", "wager_month")
_link = (
    select(links.c.id, links.c.uid)
    .select_from(_staff)
    .join(links, links.c.id == _LINK_ID)
    .where(PENDING, links.c.user_id != CALLER_ID)
    .cte("link")
)
_release_uid = (
    update(users)
    .where(users.c.uid == _link.c.uid, users.c.is_shell)
    .values(uid=null())
    .returning(users.c.id, _link.c.id.label("link_id"))
    .cte("release_uid")
)
# An update of its own, before the approval: data-modifying CTEs of one statement run in no defined order, so the unique
# key on uid could see the new holder before the shell has lost the uid.
_release_shell_uid = select(_release_uid.c.id).add_cte(audit.recorded("release_shell_uid", _release_uid))
_is_taken = exists().where(HOLDERS.c.uid == links.c.uid, HOLDERS.c.id != links.c.user_id)
# Locks the member and then the request, so that the conditions hold until the decision is written.
_request = (
    select(
        links.c.id,
        links.c.user_id,
        links.c.uid,
        users.c.uid.label("linked_uid"),
        users.c.excluded_until,
        users.c.excluded_permanently,
    )
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
_new_figures = {
    figure: func.coalesce(_approval.c[figure], case((users.c.uid != _approval.c.uid, 0), else_=users.c[figure]))
    for figure in _FIGURES
}
_link_member = (
    update(users)
    .where(users.c.id == _approval.c.user_id)
    .values(
        {
            "uid": _approval.c.uid,
            "verified": true(),
            "tier": tiers.IN_FORCE.highest(_new_figures["total_wager"], users.c.tier),
        }
        | erased_identities.stricter_exclusion(users.c, _approval.c)
        | _new_figures
    )
    .returning(users.c.id, users.c.tier, users.c.uid, access.is_excluded().label("excluded"))
    .cte("link_member")
)
# An excluded member's old uid keeps the exclusion, which then applies to the next member who links that uid.
_remember_old_uid = erased_identities.remember(
    select(
        erased_identities.identity("uid", _request.c.linked_uid),
        _request.c.excluded_until,
        _request.c.excluded_permanently,
        _request.c.user_id,
    ).where(
        _IS_APPROVAL,
        _request.c.linked_uid.is_not(None),
        _request.c.linked_uid != _request.c.uid,
        access.is_excluded(_request.c),
    )
).cte("remember_old_uid")
_decide_link = (
    update(links)
    .where(links.c.id == _request.c.id)
    .values(decision=_DECISION, reason=_REASON, decided_at=NOW, decided_by=CALLER_ID)
    .returning(links)
    .cte("decide_link")
)
_notification = select(
    users.c.id.label("user_id"),
    users.c.email,
    func.jsonb_build_object("link_id", _decide_link.c.id, "decision", _decide_link.c.decision).label("payload"),
).join(_decide_link, _decide_link.c.user_id == users.c.id)
_linked_uid = func.coalesce(select(_link_member.c.uid).scalar_subquery(), _request.c.linked_uid)
_excluded = func.coalesce(select(_link_member.c.excluded).scalar_subquery(), access.is_excluded(_request.c))
_NULL_TEXT = cast(null(), Text)
_before = select(
    _request.c.id, _NULL_TEXT.label("decision"), _NULL_TEXT.label("reason"), _request.c.linked_uid.label("linked_uid")
).cte("before")
_after = (
    select(_request.c.id, _decide_link.c.decision, _decide_link.c.reason, _linked_uid.label("linked_uid"))
    .join(_decide_link, _decide_link.c.id == _request.c.id)
    .cte("after")
)
_decide = select_links(_decide_link.join(_request, true()), _decide_link, _linked_uid, _excluded).add_cte(
    audit.recorded("decide_link", _after, _before),
    _remember_old_uid,
    tiers.record(_link_member, at=NOW),
    *queued("link_decided", _notification),
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

    An approval links the uid to the member, with the totals that the feed reported for it, and records silently the
    tiers that they have passed. An exclusion that is
    remembered for the uid applies to the member. If the member is excluded and gives up another uid, their exclusion is
    remembered for that one. If a shell has the uid, the uid moves from it to the member, and the audit log records it.

    Raises
    ------
    NotFound: there is no such request, or its member is erased.
    LinkDecided: the request was decided before; the error has that decision.
    OwnRights: the request is the caller's own.
    UidTaken: another member is linked to the uid.
    Unauthenticated, AccountSuspended, Forbidden
    """
    given = {"link_id": link_id, "given_decision": decision, "given_reason": reason}
    parameters = caller.parameters(now) | given
    row = _execute_decision(connection, parameters)
    if row is not None:
        return make_link(row)
    access.explain(connection, caller, now=now, staff=True)
    present = connection.execute(_select_present, parameters).one_or_none()
    if present is None or present.erased_at is not None:
        raise NotFound
    if present.decision is not None:
        raise LinkDecided(decision=present.decision)
    if present.user_id == caller.user_id:
        raise OwnRights("Another staff member has to decide your own request")
    if connection.execute(_release_shell_uid, parameters).first() is None:
        raise UidTaken
    # COMMIT is not sent with this decision, because a refusal must roll the release back.
    row = _execute_decision(connection, parameters, commit_in_flight=False)
    if row is None:
        raise UidTaken
    return make_link(row)


def _execute_decision(
    connection: Connection, parameters: dict[str, object], *, commit_in_flight: bool = True
) -> Row[Any] | None:
    """Execute `_decide`.

    Raises
    ------
    UidTaken: a concurrent approval linked the uid to another member.
    """
    options = {"commit_in_flight": commit_in_flight}
    try:
        return connection.execute(_decide, parameters, execution_options=options).one_or_none()
    except IntegrityError as error:
        if unique_keys.violates(error, "uid"):  # a concurrent approval for another member
            raise UidTaken from error
        raise

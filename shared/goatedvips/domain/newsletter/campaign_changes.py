"""Staff write campaigns, and decide when one is sent, paused, resumed or cancelled.

Whoever changes a campaign, or makes recipients of its audience, locks its row first, so these follow one another.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, func, insert, null, select, update

from goatedvips.domain import access, audit
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.domain.newsletter.campaigns import CAMPAIGN_ID, DAY, OVERDUE_AFTER, WHOLE
from goatedvips.domain.newsletter.markdown import render
from goatedvips.domain.notifications.campaigns.rows import has_waiting
from goatedvips.errors import CampaignFrozen, CampaignStatusRefused, NotFound, ValidationFailed
from goatedvips.models.newsletter import campaigns
from goatedvips.models.wagers import tier_versions

CONTENT = ("audience", "tiers", "subject", "body", "send_at", "per_day")
"""What staff write. It can change until the first recipients are queued."""
NEXT_STATUSES = {
    "draft": {"scheduled", "cancelled"},
    "scheduled": {"draft", "cancelled"},
    "sending": {"paused", "cancelled"},
    "paused": {"sending", "cancelled"},
    "sent": set[str](),
    "cancelled": set[str](),
}
"""The statuses that staff can give a campaign, by its present one. Nothing brings back one that ended."""
_OPEN = {"draft", "scheduled", "paused"}

_AUDITED = (campaigns.c.id, *(campaigns.c[name] for name in CONTENT), campaigns.c.status, campaigns.c.paused_reason)
_TOMORROW = bindparam("tomorrow", type_=campaigns.c.next_portion_at.type)
_staff = access.staff()
_given = {name: bindparam(f"new_{name}", type_=campaigns.c[name].type) for name in (*CONTENT, "html", "plain_text")}
_insert_campaign = (
    insert(campaigns)
    .from_select(
        [*_given, "created_by", "created_at", "updated_at"],
        select(*_given.values(), CALLER_ID, NOW, NOW).select_from(_staff),
    )
    .returning(*WHOLE)
    .cte("inserted")
)
_audited_insert = select(*(_insert_campaign.c[column.name] for column in _AUDITED)).cte("audited")
_create_campaign = (
    select(*_insert_campaign.c)
    .add_cte(audit.recorded("create_campaign", _audited_insert))
    .execution_options(commit_in_flight=True)
)
_select_tiers = select(tier_versions.c.tiers)


def create(connection: Connection, caller: Caller, content: Mapping[str, Any], *, now: datetime) -> Row[Any]:
    """Create a draft, and return it in the columns `WHOLE`.

    Parameters
    ----------
    content: a value for each of `CONTENT`.

    Raises
    ------
    ValidationFailed: there is no such tier, the audience has no tiers, or nothing of the body would be visible.
    Unauthenticated, AccountSuspended, Forbidden
    """
    given = {f"new_{name}": value for name, value in _checked(connection, content).items()}
    return access.one(connection, _create_campaign, caller, given, now=now, staff=True)


_lock_campaign = (
    select(*WHOLE, campaigns.c.queued_at.is_(None).label("is_unqueued"))
    .select_from(_staff)
    .join(campaigns, campaigns.c.id == CAMPAIGN_ID)
    .with_for_update(of=campaigns)
)
_before = select(*_AUDITED).where(campaigns.c.id == CAMPAIGN_ID).cte("before")
_STATUS = bindparam("new_status", type_=campaigns.c.status.type)
_is_resumed = and_(_STATUS == "sending", campaigns.c.status == "paused")
_window = {
    # A campaign that staff resume has a fresh window, and no portion of it is queued on a day that has one already.
    "window_began_at": case((_is_resumed, NOW), else_=campaigns.c.window_began_at),
    "counted_until": case((_is_resumed, NOW), else_=campaigns.c.counted_until),
    "counted_sent": case((_is_resumed, 0), else_=campaigns.c.counted_sent),
    "next_portion_at": case(
        (and_(_is_resumed, campaigns.c.queued_at.is_(None)), NOW),
        (
            and_(_is_resumed, campaigns.c.next_portion_at.is_not(None), has_waiting()),
            func.greatest(campaigns.c.next_portion_at, _TOMORROW),
        ),
        else_=campaigns.c.next_portion_at,
    ),
}
_update_campaign = (
    update(campaigns)
    .where(campaigns.c.id == CAMPAIGN_ID)
    .values(
        **_given,
        **_window,
        status=_STATUS,
        paused_reason=case(
            (_STATUS != "paused", null()), (campaigns.c.status != "paused", "staff"), else_=campaigns.c.paused_reason
        ),
        ended_at=case((_STATUS == "cancelled", func.coalesce(campaigns.c.ended_at, NOW)), else_=campaigns.c.ended_at),
        updated_at=NOW,
    )
    .returning(*WHOLE)
    .cte("updated")
)
_audited_update = select(*(_update_campaign.c[column.name] for column in _AUDITED)).cte("audited")
_change_campaign = (
    select(*_update_campaign.c)
    .add_cte(audit.recorded("update_campaign", _audited_update, _before))
    .execution_options(commit_in_flight=True)
)


def change(
    connection: Connection, caller: Caller, campaign_id: int, changes: Mapping[str, Any], *, now: datetime
) -> Row[Any]:
    """Change what a campaign says, or its status; return it in the columns `WHOLE`.

    Parameters
    ----------
    changes: new values of `CONTENT` and of `status`, by name; what is absent stays as it is.

    Raises
    ------
    NotFound
    CampaignFrozen: recipients are queued, or it is cancelled.
    CampaignStatusRefused: the campaign does not go from its status to the given one.
    ValidationFailed: it would be scheduled without a time, or for one that is more than an hour past; or as `create`.
    Unauthenticated, AccountSuspended, Forbidden
    """
    given = {"campaign_id": campaign_id}
    present = access.one_or_none(connection, _lock_campaign, caller, given, now=now, staff=True)
    if present is None:
        raise NotFound
    status = changes.get("status", present.status)
    if status != present.status and status not in NEXT_STATUSES[present.status]:
        raise CampaignStatusRefused(f"It is {present.status}, and cannot become {status}", present=present.status)
    content = {name: changes.get(name, getattr(present, name)) for name in CONTENT}
    is_changed = any(content[name] != getattr(present, name) for name in CONTENT)
    if not is_changed and status == present.status:
        return present
    if is_changed and not (present.is_unqueued and present.status in _OPEN):
        raise CampaignFrozen
    if status == "scheduled" and (content["send_at"] is None or content["send_at"] < now - OVERDUE_AFTER):
        raise ValidationFailed(errors=[{"pointer": "/send_at", "detail": "must be at most one hour past"}])
    rendered = {"html": present.html, "plain_text": present.plain_text}
    values = (_checked(connection, content) if is_changed else content | rendered) | {"status": status}
    parameters = given | {f"new_{name}": value for name, value in values.items()} | {"tomorrow": now + DAY}
    return access.one(connection, _change_campaign, caller, parameters, now=now, staff=True)


def _checked(connection: Connection, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content with its body rendered.

    Raises
    ------
    ValidationFailed
    """
    rendered = render(content["body"])
    if not rendered.text:
        raise ValidationFailed(errors=[{"pointer": "/body", "detail": "must show something"}])
    if content["tiers"] is not None:
        if content["audience"] != "members":
            raise ValidationFailed(errors=[{"pointer": "/tiers", "detail": "must be absent: only members have tiers"}])
        versions = connection.execute(_select_tiers).scalars()
        if unknown := set(content["tiers"]) - {tier["name"] for version in versions for tier in version}:
            raise ValidationFailed(errors=[{"pointer": "/tiers", "detail": f"has no such tier: {min(unknown)}"}])
    return {**content, "html": rendered.html, "plain_text": rendered.text}

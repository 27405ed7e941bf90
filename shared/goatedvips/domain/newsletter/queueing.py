"""Each minute: audiences of campaigns that are due become rows of the outbox, and campaigns end.

Each step is one statement for all campaigns, or one for a portion of one campaign, however many recipients it has.
Runs that overlap skip the campaign that another one has locked, and a run that is cut off leaves nothing half done.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Interval,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    true,
    update,
)

from goatedvips.domain.access import NOW
from goatedvips.domain.newsletter.audience import AUDIENCES, INBOX_ONLY, KIND_OF
from goatedvips.domain.newsletter.campaigns import CAMPAIGN_ID, DAY, OVERDUE_AFTER
from goatedvips.domain.notifications.campaigns.rows import has_waiting
from goatedvips.domain.notifications.kinds import KINDS
from goatedvips.domain.notifications.outbox import queued
from goatedvips.models.newsletter import campaigns
from goatedvips.models.notifications import outbox

_INSTANT = campaigns.c.send_at.type
_OVERDUE = bindparam("overdue_since", type_=_INSTANT)

# A portion begins only when the one before has left, so that a long pause is not followed by several at once.
_is_due = or_(
    and_(campaigns.c.status == "scheduled", campaigns.c.send_at <= NOW, campaigns.c.send_at >= _OVERDUE),
    and_(campaigns.c.status == "sending", campaigns.c.next_portion_at <= NOW, ~has_waiting()),
)
_select_due = select(campaigns.c.id, campaigns.c.audience).where(_is_due).order_by(campaigns.c.id)


@dataclass(frozen=True, slots=True)
class Due:
    """A campaign of which recipients are to be queued now."""

    id: int
    audience: str


def find_due(connection: Connection, *, now: datetime) -> list[Due]:
    """Return the campaigns whose time has come, but for those that are overdue."""
    parameters = {"now": now, "overdue_since": now - OVERDUE_AFTER}
    return [Due(**row._mapping) for row in connection.execute(_select_due, parameters)]


def _queue_portion(audience_name: str) -> Select[Any]:
    """Return the statement that queues the next `per_day` recipients of a campaign, or all of them."""
    campaign = (
        select(campaigns.c.id, campaigns.c.tiers, campaigns.c.per_day)
        .where(campaigns.c.id == CAMPAIGN_ID, _is_due)
        .with_for_update(skip_locked=True)
        .cte("campaign")
    )
    audience = AUDIENCES[audience_name](select(campaign.c.tiers).scalar_subquery())
    most = select(campaign.c.per_day).scalar_subquery()
    of_campaign = outbox.c.campaign_id == campaign.c.id
    gets_it: ColumnElement[bool] = audience.c.reason.is_(None)
    is_new = ~exists().where(of_campaign, func.lower(outbox.c.address) == audience.c.email_key)
    if KINDS[KIND_OF[audience_name]].has_inbox:
        gets_it = or_(gets_it, audience.c.reason.in_(INBOX_ONLY))
        # A member who changed the e-mail address since the portion before has the campaign already.
        is_new = and_(is_new, ~exists().where(of_campaign, outbox.c.user_id == audience.c.user_id))
    candidates = (
        select(
            campaign.c.id.label("campaign_id"),
            audience.c.email_key,
            audience.c.user_id,
            audience.c.email,
            audience.c.reason.label("dropped_reason"),
        )
        .select_from(campaign.join(audience, true()))
        .where(gets_it, is_new)
        .order_by(audience.c.email_key)
        .limit(most + 1)
        .cte("candidates")
    )
    recipients = (
        select(
            candidates.c.campaign_id,
            candidates.c.user_id,
            candidates.c.email,
            candidates.c.dropped_reason,
            func.jsonb_build_object("campaign_id", candidates.c.campaign_id).label("payload"),
        )
        .order_by(candidates.c.email_key)
        .limit(most)
    )
    found = select(func.count()).select_from(candidates).scalar_subquery()
    planned_at = func.coalesce(campaigns.c.next_portion_at, campaigns.c.send_at)
    began_at = case((planned_at >= _OVERDUE, planned_at), else_=NOW)
    record_portion = (
        update(campaigns)
        .where(campaigns.c.id == campaign.c.id)
        .values(
            status="sending",
            queued_at=func.coalesce(campaigns.c.queued_at, NOW),
            window_began_at=func.coalesce(campaigns.c.window_began_at, NOW),
            counted_until=func.coalesce(campaigns.c.counted_until, NOW),
            next_portion_at=case((found > most, began_at + literal(DAY, Interval())), else_=null()),
        )
        .cte("record_portion")
    )
    return (
        select(func.least(found, most))
        .select_from(campaign)
        .add_cte(record_portion, *queued(KIND_OF[audience_name], recipients))
    )


_queue = {name: _queue_portion(name) for name in AUDIENCES}


def queue(connection: Connection, due: Due, *, now: datetime) -> int:
    """Queue the campaign's next recipients; return how many: 0 if another run does it, or its time has not come."""
    parameters = {"campaign_id": due.id, "now": now, "overdue_since": now - OVERDUE_AFTER}
    return connection.execute(_queue[due.audience], parameters).scalar_one_or_none() or 0

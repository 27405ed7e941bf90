"""The rows of the outbox that are a campaign's: how many there are of each outcome, and the brake of the campaign.

The brake stops a campaign whose mail bounces or is complained about, so that Amazon SES does not stop the account. It
looks at the mail of a window: what was sent since the campaign began, or since staff resumed it.
"""

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    ScalarSelect,
    Select,
    Subquery,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    update,
)

from goatedvips.domain.access import NOW
from goatedvips.domain.notifications.outbox import WAITING
from goatedvips.models.newsletter import campaigns
from goatedvips.models.notifications import outbox

CANCELLED = "campaign_cancelled"
"""Why the mail of a cancelled campaign is dropped."""
LEAST_SENT = 200
"""The brake needs a window of so many mails."""
LEAST_COMPLAINTS, MAILS_PER_COMPLAINT = 3, 1000
"""It acts on so many complaints, if they are at least one in so many mails (0.1 %)."""
LEAST_BOUNCES, MAILS_PER_BOUNCE = 10, 20
"""It acts on so many hard bounces, if they are at least one in so many mails (5 %)."""

_of_campaign = outbox.c.campaign_id == campaigns.c.id


def is_push_of(campaign_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a row of the outbox is a campaign's push message; with `WAITING`, by `outbox_campaign_push_turn_idx`.

    Such a row has no `campaign_id`, because the counts and the brake of a campaign are about mail.
    """
    return and_(
        outbox.c.channel == literal("push"),
        outbox.c.kind == literal("campaign"),
        outbox.c.payload["campaign_id"].astext == cast(campaign_id, Text),
    )


def counts() -> ScalarSelect[Any]:
    """Return the counts of the mail of the campaign in `campaigns`, as a JSON object.

    A mail that was dropped when it was queued stands for a notification without mail, and is not counted. Its sender
    would have counted a try.
    """
    figures = {
        "queued": func.count(),
        "sent": func.count(outbox.c.sent_at),
        "bounced": func.count(outbox.c.bounced_at),
        "complained": func.count(outbox.c.complained_at),
        "unsubscribed": func.count(outbox.c.unsubscribed_at),
        "dropped": func.count(outbox.c.dropped_at),
        "failed": func.count(outbox.c.failed_at),
    }
    was_mail = or_(outbox.c.dropped_at.is_(None), outbox.c.attempts > 0, outbox.c.dropped_reason == CANCELLED)
    pairs = (part for pair in figures.items() for part in pair)
    return select(func.jsonb_build_object(*pairs)).where(_of_campaign, was_mail).correlate(campaigns).scalar_subquery()


def has_waiting() -> ColumnElement[bool]:
    """Whether mail or push messages of the campaign in `campaigns` wait to be sent: a look into each of two indexes.

    These are `outbox_campaign_turn_idx` and `outbox_campaign_push_turn_idx`. With EXISTS the planner would scan the
    table for the first such row, if it expects many.
    """
    first = (
        select(outbox.c.id).where(of_campaign, WAITING).order_by(outbox.c.due_at, outbox.c.id).limit(1)
        for of_campaign in (_of_campaign, is_push_of(campaigns.c.id))
    )
    return or_(*(row.correlate(campaigns).scalar_subquery().is_not(None) for row in first))


def count_sent(*conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    """Return the number of sent mails of the campaign in `campaigns` that meet the conditions."""
    sent = select(func.count()).where(_of_campaign, outbox.c.sent_at.is_not(None), *conditions)
    return sent.correlate(campaigns).scalar_subquery()


def mark_unsubscribed(kind: str, email_key: ColumnElement[str], has_happened: ColumnElement[bool]) -> CTE:
    """Return the update that marks the last campaign mail of a kind to an address: it counts as what ended the list.

    Parameters
    ----------
    email_key: the e-mail address in lower case.
    has_happened: whether the address did unsubscribe now.
    """
    last = (
        select(outbox.c.id)
        .where(
            func.lower(outbox.c.address) == email_key,
            outbox.c.campaign_id.is_not(None),
            outbox.c.kind == kind,
            outbox.c.sent_at.is_not(None),
        )
        .order_by(outbox.c.sent_at.desc(), outbox.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        update(outbox)
        .where(outbox.c.id == last, has_happened)
        .values(unsubscribed_at=func.coalesce(outbox.c.unsubscribed_at, NOW))
        .returning(outbox.c.id)
        .cte("mark_unsubscribed")
    )


def select_windows(*conditions: ColumnElement[bool]) -> Subquery:
    """Return the campaigns that meet the conditions, each with the mails of its window, and why the brake acts.

    The columns are `id`, `sent`, `bounced`, `complained` and `reason`: `complaints`, `bounces`, or null. Of the sent
    mails only those since `counted_until` are counted; bounces and complaints have partial indexes.
    """
    in_window = outbox.c.sent_at >= campaigns.c.window_began_at
    window = (
        select(
            campaigns.c.id,
            (campaigns.c.counted_sent + count_sent(outbox.c.sent_at >= campaigns.c.counted_until)).label("sent"),
            count_sent(in_window, outbox.c.bounced_at.is_not(None)).label("bounced"),
            count_sent(in_window, outbox.c.complained_at.is_not(None)).label("complained"),
        )
        .where(*conditions)
        .cte("counted_window")
        .prefix_with("MATERIALIZED")  # so that each is counted once, although the reason reads it several times
    )
    is_long = window.c.sent >= LEAST_SENT
    too_many_complaints = and_(
        is_long,
        window.c.complained >= LEAST_COMPLAINTS,
        window.c.complained * MAILS_PER_COMPLAINT >= window.c.sent,
    )
    too_many_bounces = and_(
        is_long, window.c.bounced >= LEAST_BOUNCES, window.c.bounced * MAILS_PER_BOUNCE >= window.c.sent
    )
    reason = case((too_many_complaints, "complaints"), (too_many_bounces, "bounces"))
    windows: Select[Any] = select(*window.c, reason.label("reason"))
    return windows.subquery("windows")

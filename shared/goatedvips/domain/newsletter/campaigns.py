"""Campaigns: staff list them, look at one with its counts and a preview of who will get it, and mail one to themselves.

`campaign_changes` writes them, `queueing` makes recipients of their audiences.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, true

from goatedvips.domain import access, pagination
from goatedvips.domain.access import Caller
from goatedvips.domain.newsletter.audience import AUDIENCES, INBOX_ONLY
from goatedvips.domain.notifications.campaigns.rows import counts
from goatedvips.domain.notifications.outbox import queued
from goatedvips.domain.pagination import Keyset, Page
from goatedvips.errors import EmailUnverified, NotFound
from goatedvips.models.accounts import users
from goatedvips.models.newsletter import campaigns

CAMPAIGN_ID = bindparam("campaign_id", type_=campaigns.c.id.type)
OVERDUE_AFTER = timedelta(hours=1)
"""How long after its `send_at` a campaign may still begin by itself. Later it waits for staff."""
DAY = timedelta(days=1)
LISTED = (
    campaigns.c.id,
    campaigns.c.audience,
    campaigns.c.tiers,
    campaigns.c.subject,
    campaigns.c.send_at,
    campaigns.c.per_day,
    campaigns.c.status,
    campaigns.c.paused_reason,
    campaigns.c.created_at,
    campaigns.c.created_by,
    campaigns.c.updated_at,
    campaigns.c.ended_at,
)
WHOLE = (*LISTED, campaigns.c.body, campaigns.c.html, campaigns.c.plain_text)

_BY_ID = Keyset(campaigns.c.id, list_name="campaigns")
_staff = access.staff()
_select_campaigns = _BY_ID.page_of(select(*LISTED).select_from(_staff).join(campaigns, true()))


def newest(
    connection: Connection, caller: Caller, *, limit: int, cursor: str | None, now: datetime
) -> Page[Mapping[str, Any]]:
    """Return a page of all campaigns, the newest first, in the columns `LISTED`.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    Unauthenticated, AccountSuspended, Forbidden
    """
    return pagination.newest(
        connection,
        _select_campaigns,
        caller.parameters(now),
        lambda row: dict(row._mapping),
        by=_BY_ID,
        limit=limit,
        cursor=cursor,
        refuse=lambda: access.explain(connection, caller, now=now, staff=True),
    )


@dataclass(frozen=True, slots=True)
class Preview:
    """Who will get a campaign that has not begun, as things are now."""

    recipients: int
    left_out: list[dict[str, object]]
    """`{"reason", "count"}` for each reason, the most frequent first."""
    ends_at: datetime | None
    """When the last mail will leave at the earliest; None without a time to begin."""


_select_campaign = (
    select(
        *WHOLE,
        func.coalesce(campaigns.c.final_counts, counts()).label("counts"),
        campaigns.c.queued_at.is_(None).label("is_unqueued"),
    )
    .select_from(_staff)
    .join(campaigns, campaigns.c.id == CAMPAIGN_ID)
)
_tiers = select(campaigns.c.tiers).where(campaigns.c.id == CAMPAIGN_ID).scalar_subquery()
_count_audience = {
    name: select(audience.c.reason, func.count().label("people"))
    .group_by(audience.c.reason)
    .order_by(func.count().desc(), audience.c.reason)
    for name, audience in ((name, choose(_tiers)) for name, choose in AUDIENCES.items())
}
_HAS_ENDED = {"sent", "cancelled"}


def get(connection: Connection, caller: Caller, campaign_id: int, *, rate: int, now: datetime) -> Mapping[str, Any]:
    """Return a campaign in the columns `WHOLE`, its `counts`, and the `preview` of one that may still begin, or None.

    Parameters
    ----------
    rate: the greatest number of mails that leave in a second.

    Raises
    ------
    NotFound
    Unauthenticated, AccountSuspended, Forbidden
    """
    given = {"campaign_id": campaign_id}
    row = access.one_or_none(connection, _select_campaign, caller, given, now=now, staff=True)
    if row is None:
        raise NotFound
    if not row.is_unqueued or row.status in _HAS_ENDED:
        return {**row._mapping, "preview": None}
    people = {found.reason: found.people for found in connection.execute(_count_audience[row.audience], given)}
    recipients = people.pop(None, 0)
    begins_at = max(row.send_at, now) if row.send_at else now if row.status in {"sending", "paused"} else None
    inbox_only = sum(people[reason] for reason in INBOX_ONLY & people.keys()) if row.audience == "members" else 0
    ends_at = begins_at and begins_at + _duration(recipients, inbox_only, row.per_day, rate)
    left_out: list[dict[str, object]] = [{"reason": reason, "count": count} for reason, count in people.items()]
    return {**row._mapping, "preview": Preview(recipients, left_out, ends_at)}


def _duration(recipients: int, inbox_only: int, per_day: int | None, rate: int) -> timedelta:
    """Return how long it takes to queue `per_day` notifications a day, and to send `rate` mails a second.

    Parameters
    ----------
    inbox_only: those that get a notification and no mail.
    """
    all_at_once = timedelta(seconds=recipients / rate)
    if per_day is None or not recipients:
        return all_at_once
    days, rest = divmod(recipients + inbox_only - 1, per_day)
    return max(days * DAY + timedelta(seconds=min(rest + 1, recipients) / rate), all_at_once)


# The tester is the caller, and gets the campaign as it is when the mail is sent.
_tester = (
    select(users.c.id.label("user_id"), users.c.email, CAMPAIGN_ID.label("campaign_id"))
    .select_from(_staff)
    .join(users, users.c.id == _staff.c.id)
    .join(campaigns, campaigns.c.id == CAMPAIGN_ID)
    .where(users.c.email_verified, func.is_mailable(users.c.email))
    .cte("tester")
)
_queue_test = (
    select(campaigns.c.id, select(_tester.c.email).scalar_subquery().label("email"))
    .select_from(_staff)
    .outerjoin(campaigns, campaigns.c.id == CAMPAIGN_ID)
    .add_cte(
        *queued(
            "campaign_test",
            select(
                _tester.c.user_id,
                _tester.c.email,
                func.jsonb_build_object("campaign_id", _tester.c.campaign_id).label("payload"),
            ),
        )
    )
    .execution_options(commit_in_flight=True)
)


def send_test(connection: Connection, caller: Caller, campaign_id: int, *, now: datetime) -> str:
    """Queue a mail with the campaign to the caller, whatever its status; return their e-mail address.

    Raises
    ------
    NotFound
    EmailUnverified: the caller's e-mail address is not verified, or no mail reaches it.
    Unauthenticated, AccountSuspended, Forbidden
    """
    row = access.one(connection, _queue_test, caller, {"campaign_id": campaign_id}, now=now, staff=True)
    if row.id is None:
        raise NotFound
    if row.email is None:
        raise EmailUnverified
    email: str = row.email
    return email

"""Leases of push messages: which rows of the outbox leave as a batch, and which are dropped or wait.

A lease is made and committed before its batch is put into S3, from where the batch is sent outside the VPC. The results
come back the same way, and `results` records them. A lease of which nothing comes back expires, and the row is leased
again: each push message is sent at least once.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    literal,
    select,
    true,
    union_all,
    update,
)

from goatedvips.domain.notifications import deciding
from goatedvips.domain.notifications.campaigns.rows import is_push_of
from goatedvips.domain.notifications.deciding import PUSH_STATE, Channel, Defer, Drop
from goatedvips.domain.notifications.kinds import KINDS, Priority
from goatedvips.domain.notifications.notices import relevance
from goatedvips.domain.notifications.pushes.messages import make_topic, write_message
from goatedvips.domain.notifications.pushes.outcomes import ENDED, Failure, Outcomes
from goatedvips.domain.notifications.sending import SENDING, TRIES, select_due
from goatedvips.models.accounts import users
from goatedvips.models.newsletter import campaigns
from goatedvips.models.notifications import notification_preferences as preferences
from goatedvips.models.notifications import outbox
from goatedvips.models.notifications import push_subscriptions as subscriptions

LEASE = timedelta(minutes=30)
"""Longer than the way through S3 and back. It takes seconds; but the events on it are repeated, and a batch may be sent
up to 12 minutes later. Only a batch that was lost on the way waits for the end of its lease."""
BATCH = 100  # rows: a pause of a campaign acts after as many


NOT_CONFIGURED = "push_not_configured"
"""Why push messages are dropped where the platform has no key for Web Push."""


class LeaseExpired(Exception):
    """The last try's lease expired: no result of its batch was recorded."""


@dataclass(frozen=True, slots=True)
class PushMessage:
    """A leased row of the outbox, as it leaves; see `goatedvips.clients.push_batches.Push`."""

    id: int
    attempt: int
    endpoint: str
    p256dh: str
    auth: str
    ttl: int
    topic: str
    urgency: Literal["low", "normal", "high"]
    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Leased rows of the outbox."""

    name: str
    """32 hexadecimal digits. While its rows are leased, they have it as their `message_id`."""
    rows: list[Row[Any]]


# By `outbox_channel_turn_idx`.
_of_priorities = [
    select(
        select_due(
            outbox.c.channel == literal("push"),
            outbox.c.priority == literal(priority.value, outbox.c.priority.type),
        ).subquery(f"due_{priority.name.lower()}")
    )
    for priority in sorted({kind.priority for kind in KINDS.values() if kind.has_inbox} - {Priority.CAMPAIGN})
]
# By `outbox_campaign_push_turn_idx`. Campaigns that are paused, or that the brake stops, are not looked at.
_of_campaign = select_due(is_push_of(SENDING.c.id)).lateral("due_campaign")
_of_campaigns = select(_of_campaign).select_from(SENDING.join(_of_campaign, true())).where(SENDING.c.reason.is_(None))
_of_each_priority = union_all(*_of_priorities, _of_campaigns).subquery("of_each_priority")
_due = (
    select(_of_each_priority.c.id)
    .order_by(_of_each_priority.c.priority, _of_each_priority.c.due_at, _of_each_priority.c.id)
    .limit(bindparam("batch", type_=Integer))
    .cte("due")
)
_leased = (
    update(outbox)
    .where(outbox.c.id == _due.c.id)
    .values(
        leased_until=bindparam("lease_ends_at", type_=outbox.c.leased_until.type),
        attempts=outbox.c.attempts + 1,
        message_id=bindparam("batch_name", type_=Text),
    )
    .returning(
        *(outbox.c[name] for name in ("id", "kind", "user_id", "payload", "attempts", "priority", "due_at")),
        outbox.c.expires_at,
        outbox.c.push_subscription_id,
    )
    .cte("leased")
)
_campaign_id = case((_leased.c.kind == "campaign", cast(_leased.c.payload["campaign_id"].astext, Integer)))
_lease: Select[*tuple[Any, ...]] = (
    select(
        *(_leased.c[name] for name in ("id", "kind", "payload", "attempts", "expires_at")),
        subscriptions.c.endpoint,
        subscriptions.c.p256dh,
        subscriptions.c.auth,
        *PUSH_STATE,
        relevance.reason_against(_leased.c.kind, _leased.c.payload).label("reason_against"),
        campaigns.c.subject,
        campaigns.c.plain_text,
    )
    .select_from(_leased)
    # An endpoint that was added again is the present member's, so what is queued for another one is not for it.
    .outerjoin(
        subscriptions,
        and_(
            subscriptions.c.id == _leased.c.push_subscription_id,
            subscriptions.c.user_id == _leased.c.user_id,
        ),
    )
    .outerjoin(users, users.c.id == _leased.c.user_id)
    .outerjoin(preferences, preferences.c.user_id == users.c.id)
    .outerjoin(campaigns, campaigns.c.id == _campaign_id)
    .order_by(_leased.c.priority, _leased.c.due_at, _leased.c.id)
    .execution_options(commit_in_flight=True)
)


def lease(connection: Connection, *, now: datetime, batch: int = BATCH) -> Batch:
    """Lease due push messages for `LEASE`, in the order of priority, due time and id. Each lease counts as a try."""
    name = secrets.token_hex(16)
    parameters = {"batch": batch, "batch_name": name, "lease_ends_at": now + LEASE, "now": now}
    return Batch(name, list(connection.execute(_lease, parameters)))


def decide(batch: Batch, url: str, *, now: datetime) -> tuple[list[PushMessage], Outcomes]:
    """Return the messages of a batch that are sent, and what becomes of its other rows.

    Parameters
    ----------
    url: where the browser leads to, absolute.
    """
    messages, outcomes = list[PushMessage](), Outcomes()
    for row in batch.rows:
        try:
            decided = _decide(row, url, now=now)
        except Exception as error:  # noqa: BLE001 - one row's fault, whatever it is, must not delay the others
            # Only the class of the error is stored: its text may quote the payload.
            outcomes.failed[row.id] = Failure(row.kind, row.attempts, type(error).__name__)
            continue
        match decided:
            case Drop(reason):
                outcomes.dropped[row.id] = reason
            case Defer(until):
                outcomes.deferred[row.id] = until
            case PushMessage():
                messages.append(decided)
    return messages, outcomes


def drop_all(batch: Batch) -> Outcomes:
    """Return what becomes of a batch if there is no key to send with."""
    return Outcomes(dropped=dict.fromkeys((row.id for row in batch.rows), NOT_CONFIGURED))


def _decide(row: Row[Any], url: str, *, now: datetime) -> PushMessage | Drop | Defer:
    if row.attempts > TRIES:
        raise LeaseExpired
    kind = KINDS[row.kind]
    if row.endpoint is None:
        return Drop(ENDED)
    recipient = deciding.recipient_of_push(row)
    decided = deciding.decide(kind, Channel.PUSH, recipient, expires_at=row.expires_at, now=now)
    if decided is not None:
        return decided
    if row.reason_against is not None:
        return Drop(row.reason_against)
    payload = row.payload | ({"subject": row.subject, "plain_text": row.plain_text} if row.subject is not None else {})
    topic = make_topic(row.kind, payload, row.auth)
    until_end = row.expires_at - now if row.expires_at is not None else None
    return PushMessage(
        row.id,
        row.attempts,
        row.endpoint,
        row.p256dh,
        row.auth,
        ttl=int(min(ttl for ttl in (kind.push_ttl, until_end) if ttl is not None).total_seconds()),
        topic=topic,
        urgency="low" if kind.priority is Priority.CAMPAIGN else "normal",
        message=write_message(row.kind, payload, topic, url),
    )

"""How campaigns pause by themselves and how they end: each step is one statement for all campaigns."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CTE, Connection, Select, bindparam, func, literal, null, or_, select, update

from goatedvips.domain.access import NOW
from goatedvips.domain.newsletter.campaigns import OVERDUE_AFTER
from goatedvips.domain.notifications.campaigns.rows import (
    CANCELLED,
    count_sent,
    has_waiting,
    is_push_of,
    select_windows,
)
from goatedvips.domain.notifications.outbox import WAITING, queued
from goatedvips.models.newsletter import campaigns
from goatedvips.models.notifications import outbox

SETTLED_AFTER = timedelta(minutes=5)
"""By then everything that was sent is recorded, whatever the clocks of its senders."""

_INSTANT = campaigns.c.send_at.type
_OVERDUE = bindparam("overdue_since", type_=_INSTANT)
_SETTLED = bindparam("settled_until", type_=_INSTANT)
_FIGURES = ("sent", "bounced", "complained")
_pause_overdue = (
    update(campaigns)
    .where(campaigns.c.status == "scheduled", campaigns.c.send_at < _OVERDUE)
    .values(status="paused", paused_reason="overdue", updated_at=NOW)
    .returning(campaigns.c.id, literal("overdue").label("reason"), *(literal(0).label(name) for name in _FIGURES))
    .cte("paused")
)
_braked = select_windows(campaigns.c.status == "sending", campaigns.c.queued_at.is_not(None))
_pause_braked = (
    update(campaigns)
    .where(campaigns.c.id == _braked.c.id, campaigns.c.status == "sending", _braked.c.reason.is_not(None))
    .values(status="paused", paused_reason=_braked.c.reason, updated_at=NOW)
    .returning(campaigns.c.id, _braked.c.reason, *(_braked.c[name] for name in _FIGURES))
    .cte("paused")
)


def _report(paused: CTE) -> Select[Any]:
    """Return the statement that pauses campaigns and queues a mail to staff about each."""
    details = func.jsonb_build_object(
        "campaign_id", paused.c.id, *(part for name in ("reason", *_FIGURES) for part in (name, paused.c[name]))
    )
    return select(*paused.c).add_cte(*queued("campaign_paused", select(details.label("payload"))))


@dataclass(frozen=True, slots=True)
class Paused:
    """A campaign that paused itself."""

    id: int
    reason: str
    """`overdue`, `complaints` or `bounces`."""
    sent: int
    """The mails of its window; so are the next two."""
    bounced: int
    complained: int


_pauses = (_report(_pause_overdue), _report(_pause_braked))


def pause(connection: Connection, *, now: datetime) -> list[Paused]:
    """Pause the campaigns that are overdue and those that the brake stops, and mail staff about each."""
    parameters = {"now": now, "overdue_since": now - OVERDUE_AFTER}
    return [Paused(**row._mapping) for statement in _pauses for row in connection.execute(statement, parameters)]


_count_settled = (
    update(campaigns)
    .where(campaigns.c.status == "sending", campaigns.c.counted_until < _SETTLED)
    .values(
        counted_until=_SETTLED,
        counted_sent=campaigns.c.counted_sent
        + count_sent(outbox.c.sent_at >= campaigns.c.counted_until, outbox.c.sent_at < _SETTLED),
    )
)
# `make outbox-retry` can give a campaign that ended rows that wait again.
_reopen = (
    update(campaigns)
    .where(
        campaigns.c.status == "sent",
        campaigns.c.final_counts.is_(None),
        campaigns.c.ended_at.is_not(None),
        has_waiting(),
    )
    .values(status="sending", ended_at=null())
)
_finish = (
    update(campaigns)
    .where(
        campaigns.c.status == "sending",
        campaigns.c.queued_at.is_not(None),
        campaigns.c.next_portion_at.is_(None),
        ~has_waiting(),
    )
    .values(status="sent", ended_at=NOW)
    .returning(campaigns.c.id)
)
# Leased rows are left to their sender, and to the next run.
_drop_cancelled = [
    update(outbox)
    .where(
        of_campaign,
        campaigns.c.status == "cancelled",
        campaigns.c.final_counts.is_(None),
        campaigns.c.ended_at.is_not(None),
        WAITING,
        or_(outbox.c.leased_until.is_(None), outbox.c.leased_until <= NOW),
    )
    .values(dropped_at=NOW, dropped_reason=CANCELLED, leased_until=null())
    .returning(outbox.c.id)
    for of_campaign in (outbox.c.campaign_id == campaigns.c.id, is_push_of(campaigns.c.id))
]


def settle(connection: Connection, *, now: datetime) -> dict[str, int]:
    """Drop what waits of cancelled campaigns, end those of which nothing waits, and count for the brake."""
    parameters = {"now": now, "settled_until": now - SETTLED_AFTER}
    connection.execute(_reopen, parameters)
    connection.execute(_count_settled, parameters)
    dropped = sum(len(connection.execute(drop, parameters).all()) for drop in _drop_cancelled)
    return {"ended": len(connection.execute(_finish, parameters).all()), "dropped": dropped}

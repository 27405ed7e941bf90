"""Retention: which rows are deleted after a period, and how long that period is.

Each kind is purged in small batches in the order of its ids, which follow the time of insertion. A run ends at the
first batch whose rows are all too new, so it reads little more than the rows that it deletes. Rows that another
transaction has locked are left to the next run (SKIP LOCKED).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    any_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    update,
)

from goatedvips.domain import idempotency
from goatedvips.domain.notifications.campaigns.rows import counts
from goatedvips.domain.wagers.thinning import thin_readings
from goatedvips.models.accounts import attempts, mailed_tokens, sessions, users
from goatedvips.models.newsletter import campaigns
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions
from goatedvips.models.notifications import mail_events, notifications, outbox
from goatedvips.models.operations import idempotency_records

BATCH = 2000  # rows that one statement examines, so that nobody waits for its locks for long


@dataclass(frozen=True, slots=True)
class Batch:
    """The result of one batch."""

    purged: int
    """The number of rows."""
    next_after: int | None
    """The id after which the next batch begins; None: this was the last one."""


class _Purge(NamedTuple):
    period: timedelta
    statement: Select[int, int, bool]


_EXPIRED_BEFORE = bindparam("expired_before", type_=users.c.created_at.type)
_AFTER = bindparam("after", type_=BigInteger)


def _purge_rows(table: Table, inserted_at: Column[datetime], since: ColumnElement[datetime]) -> Select[int, int, bool]:
    """Return the statement that deletes the rows of a batch whose period has passed.

    Parameters
    ----------
    inserted_at: when a row was inserted, which is never after `since`.
    since: when its period began; null: the row stays.
    """
    rows = select(table.c.id, inserted_at.label("inserted_at"), since.label("since")).where(table.c.id > _AFTER)
    examined = rows.order_by(table.c.id).limit(BATCH).cte("examined")
    # With an array the planner uses the primary key, however many ids it expects.
    ids = func.array(select(examined.c.id).where(examined.c.since <= _EXPIRED_BEFORE).scalar_subquery())
    expired = (
        select(table.c.id)
        .where(table.c.id == any_(ids), since <= _EXPIRED_BEFORE)
        .with_for_update(of=table, skip_locked=True)
        .cte("expired")
    )
    deleted = delete(table).where(table.c.id == expired.c.id).returning(table.c.id).cte("deleted")
    return select(
        select(func.count()).select_from(deleted).scalar_subquery().label("purged"),
        func.max(examined.c.id).label("last_id"),
        (func.min(examined.c.inserted_at) <= _EXPIRED_BEFORE).label("has_more"),
    ).execution_options(commit_in_flight=True)


def _clear_inactive_members() -> Select[int, int, bool]:
    """Return the statement that clears `is_active` of a batch of idle members, whom a partial index finds."""
    idle = (
        select(users.c.id)
        .where(users.c.is_active, or_(users.c.last_active <= _EXPIRED_BEFORE, users.c.last_active.is_(None)))
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True)
        .cte("idle")
    )
    cleared = update(users).where(users.c.id == idle.c.id).values(is_active=False).returning(users.c.id).cte("cleared")
    return (
        select(func.count().label("purged"), _AFTER.label("last_id"), (func.count() == BATCH).label("has_more"))
        .select_from(cleared)
        .execution_options(commit_in_flight=True)
    )


def _purge_pending_subscriptions() -> Select[int, int, bool]:
    """Return the statement that deletes a batch of subscriptions that nobody confirmed: a partial index finds them."""
    expired = (
        select(subscriptions.c.id)
        .where(
            ~subscriptions.c.is_subscribed,
            subscriptions.c.confirmed_at.is_(None),
            subscriptions.c.unsubscribed_at.is_(None),
            subscriptions.c.confirmation_sent_at.is_not(None),
            subscriptions.c.confirmation_sent_at <= _EXPIRED_BEFORE,
        )
        .limit(BATCH)
        .with_for_update(skip_locked=True)
        .cte("expired")
    )
    deleted = (
        delete(subscriptions).where(subscriptions.c.id == expired.c.id).returning(subscriptions.c.id).cte("deleted")
    )
    return (
        select(func.count().label("purged"), _AFTER.label("last_id"), (func.count() == BATCH).label("has_more"))
        .select_from(deleted)
        .execution_options(commit_in_flight=True)
    )


def _purge_campaign() -> Select[int, int, bool]:
    """Return the statement that deletes the mail of one campaign that has ended, and writes its final counts."""
    ended = (
        select(campaigns.c.id)
        .where(campaigns.c.ended_at <= _EXPIRED_BEFORE, campaigns.c.final_counts.is_(None))
        .order_by(campaigns.c.ended_at)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("ended")
    )
    counted = (
        update(campaigns)
        .where(campaigns.c.id == ended.c.id)
        .values(final_counts=counts())
        .returning(campaigns.c.id)
        .cte("counted")
    )
    deleted = delete(outbox).where(outbox.c.campaign_id == counted.c.id).returning(outbox.c.id).cte("deleted")
    return select(
        select(func.count()).select_from(deleted).scalar_subquery().label("purged"),
        _AFTER.label("last_id"),
        select(counted.c.id).exists().label("has_more"),
    ).execution_options(commit_in_flight=True)


_session_end = func.least(sessions.c.ended_at, sessions.c.expires_at)
_token_end = func.least(mailed_tokens.c.used_at, mailed_tokens.c.expires_at)
_purge_attempts = _purge_rows(attempts, attempts.c.attempted_at, attempts.c.attempted_at)
_purge_sessions = _purge_rows(sessions, sessions.c.created_at, _session_end)
_purge_mailed_tokens = _purge_rows(mailed_tokens, mailed_tokens.c.created_at, _token_end)
# Mail that was given up stays until somebody queues it again.
# Mail of a campaign stays until the campaign is purged, because its counts are made of it.
_mail_end = case((outbox.c.campaign_id.is_(None), func.least(outbox.c.sent_at, outbox.c.dropped_at)))
_purge_sent_mail = _purge_rows(outbox, outbox.c.created_at, _mail_end)
_purge_mail_events = _purge_rows(mail_events, mail_events.c.received_at, mail_events.c.received_at)
_purge_inbox = _purge_rows(notifications, notifications.c.created_at, notifications.c.due_at)
_purge_records = _purge_rows(idempotency_records, idempotency_records.c.created_at, idempotency_records.c.created_at)
_purge_pending = _purge_pending_subscriptions()
_clear_inactive = _clear_inactive_members()
_thin_readings = thin_readings()
KINDS = {
    "attempts": _Purge(timedelta(days=1), _purge_attempts),
    "sessions": _Purge(timedelta(days=30), _purge_sessions),
    "mailed_tokens": _Purge(timedelta(days=30), _purge_mailed_tokens),
    "sent_mail": _Purge(timedelta(days=90), _purge_sent_mail),
    "campaign_mail": _Purge(timedelta(days=90), _purge_campaign()),
    "mail_events": _Purge(timedelta(days=30), _purge_mail_events),  # Amazon SNS repeats a message for 23 days at most
    "inbox": _Purge(timedelta(days=365), _purge_inbox),
    "pending_subscriptions": _Purge(timedelta(days=30), _purge_pending),
    "idempotency_records": _Purge(idempotency.RECORD_LIFETIME, _purge_records),
    "no_longer_active": _Purge(timedelta(days=30), _clear_inactive),
    "thinned_readings": _Purge(timedelta(days=90), _thin_readings),
}
"""What is purged, by kind, and after which period."""


def purge(connection: Connection, kind: str, after: int, *, now: datetime) -> Batch:
    """Purge one batch of a kind.

    Parameters
    ----------
    kind: one of `KINDS`.
    after: 0, or `next_after` of the batch before.
    """
    period, statement = KINDS[kind]
    row = connection.execute(statement, {"after": after, "expired_before": now - period}).one()
    return Batch(row.purged, row.last_id if row.has_more else None)

"""Preferences, reminders and push messages that several requests or runs change at once."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from goatedvips.domain.access import Caller
from goatedvips.domain.codes import expiring
from goatedvips.domain.notifications.preferences import own
from goatedvips.domain.notifications.pushes import leases, results, subscriptions
from goatedvips.domain.notifications.pushes.results import Result
from goatedvips.models.notifications import notification_preferences, outbox, push_subscriptions, sender_state
from tests.concurrency.together import at_once
from tests.support.codes import Codes
from tests.support.members import Member, Members
from tests.support.rows import insert_row

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
BATCH = "0123456789abcdef" * 2


def test_changes_at_once_make_one_row_with_all_of_them(direct: str, members: Members, database: sa.Engine) -> None:
    member = members.new()
    caller = Caller(member.id, member.session_id, "test")
    switches = ("wager_race_updates", "vip_status_changes", "monthly_statements", "push_notifications")
    changes: list[Any] = [partial(own.change, caller=caller, given={switch: False}, now=NOON) for switch in switches]
    results = at_once(
        direct, [*changes, partial(own.change, caller=caller, given={"promotional_offers": True}, now=NOON)]
    )
    assert [result for result in results if isinstance(result, Exception)] == []
    with database.connect() as connection:
        own_rows = sa.select(notification_preferences).where(notification_preferences.c.user_id == member.id)
        (row,) = connection.execute(own_rows)
    assert [row._mapping[switch] for switch in switches] == [False] * 4
    assert (row.promotional_offers, row.promotional_consented_at, row.email_notifications) == (True, NOON, True)


def test_each_reminder_is_queued_by_one_of_several_runs(
    patient: str, members: Members, codes: Codes, database: sa.Engine
) -> None:
    member = members.new()
    for minutes in range(5):
        expires_at = NOON + expiring.LEAD - timedelta(minutes=minutes)
        codes.new(user_id=member.id, max_claims=1, claimed_at=NOON - timedelta(days=1), expires_at=expires_at)
    with database.connect() as connection:
        connection.execute(sa.update(sender_state).values(expiry_noticed_until=NOON - timedelta(hours=1)))

    def run(connection: Connection, seconds: int) -> None:
        expiring.queue_reminders(connection, now=NOON + timedelta(seconds=seconds))

    results = at_once(patient, [partial(run, seconds=seconds % 3) for seconds in range(6)])
    assert results == [None] * 6
    with database.connect() as connection:
        reminded = connection.scalar(sa.select(sa.func.count()).where(outbox.c.user_id == member.id))
    assert reminded == 5


def put_pushes(database: sa.Engine, member: Member, number: int) -> tuple[int, list[int]]:
    """Insert a push subscription with push messages that are leased as the batch `BATCH`; return the ids."""
    keys = {"p256dh": "key", "auth": "secret", "created_at": NOON}
    endpoint = f"https://push.example/{secrets.token_hex(8)}"
    subscription = insert_row(database, push_subscriptions, user_id=member.id, endpoint=endpoint, **keys)
    row: dict[str, Any] = {"kind": "link_ended", "channel": "push", "user_id": member.id, "created_at": NOON}
    row |= {"push_subscription_id": subscription, "due_at": NOON, "payload": {"uid": "u1", "reason": "r"}}
    leased = {"attempts": 1, "message_id": BATCH, "leased_until": NOON + leases.LEASE}
    return subscription, [insert_row(database, outbox, **row | leased) for _ in range(number)]


def test_results_that_several_runs_record_at_once_count_once(
    direct: str, members: Members, database: sa.Engine
) -> None:
    subscription, ids = put_pushes(database, members.new(), 6)
    given = [Result(outbox_id, 1, 403) for outbox_id in ids]

    def run(connection: Connection, order: int) -> int:
        return len(results.record(connection, BATCH, given[::order], now=NOON).outcomes.dropped)

    recorded = at_once(direct, [partial(run, order=order) for order in (1, -1) * 4])
    assert sorted(recorded, key=str) == [0] * 7 + [6]
    with database.connect() as connection:
        refusals = sa.select(push_subscriptions.c.failures).where(push_subscriptions.c.id == subscription)
        assert connection.scalar(refusals) == 6


def test_a_subscription_may_be_removed_from_all_sides_at_once(
    direct: str, members: Members, database: sa.Engine
) -> None:
    for _ in range(5):
        member = members.new()
        subscription, ids = put_pushes(database, member, 8)
        with database.connect() as connection:
            connection.execute(sa.update(outbox).where(outbox.c.id.in_(ids[4:])).values(leased_until=None))
            endpoints = sa.select(push_subscriptions.c.endpoint).where(push_subscriptions.c.id == subscription)
            endpoint = connection.scalars(endpoints).one()
        caller = Caller(member.id, member.session_id, "test")
        given = [Result(outbox_id, 1, 410) for outbox_id in ids[:4]]
        works: list[Callable[[Connection], object]] = [
            partial(results.record, batch=BATCH, results=given, now=NOON),
            partial(results.record, batch=BATCH, results=given[::-1], now=NOON),
            partial(leases.lease, now=NOON),
            partial(subscriptions.remove, caller=caller, endpoint=endpoint, now=NOON),
        ]
        outcome = at_once(direct, works)
        assert [each for each in outcome if isinstance(each, Exception)] == []
        with database.connect() as connection:
            left = sa.select(sa.func.count()).where(push_subscriptions.c.id == subscription)
            assert connection.scalar(left) == 0
            kept = sa.select(outbox.c.id).where(outbox.c.id.in_(ids), outbox.c.push_subscription_id.is_not(None))
            assert connection.scalars(kept).all() == []

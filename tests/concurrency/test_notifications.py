"""Preferences that are changed at once, and reminders that several runs queue at once."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from goatedvips.domain.access import Caller
from goatedvips.domain.codes import expiring
from goatedvips.domain.notifications.preferences import own
from goatedvips.models.notifications import notification_preferences, outbox, sender_state
from tests.concurrency.together import at_once
from tests.support.codes import Codes
from tests.support.members import Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


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

"""Mail in quiet hours: what can wait waits for their end, and what is of no use by then is dropped."""

from datetime import datetime, time, timedelta

import sqlalchemy as sa

from goatedvips.models.notifications import notification_preferences
from tests.integration.notifications.conftest import NONE, NOON, Message, Send, put, row, verification
from tests.support.members import Members
from tests.support.rows import insert_row

NIGHT = NOON + timedelta(hours=11)
MORNING = NOON + timedelta(hours=19, minutes=30)


def put_tier(database: sa.Engine, members: Members, expires_at: datetime | None = None) -> int:
    """Queue a mail to a member who is in quiet hours at NIGHT, and until MORNING."""
    member = members.new(seeds=False)
    hours = {"quiet_from": time(22), "quiet_to": time(9, 30), "time_zone": "Europe/Berlin"}
    insert_row(database, notification_preferences, user_id=member.id, **hours)
    payload = {"tier": "Gold", "reward": None}
    columns = {"priority": 3, "due_at": NIGHT, "expires_at": expires_at}
    return put(database, "tier_reached", user_id=member.id, address=member.email, payload=payload, **columns)


def test_it_waits_for_their_end_without_a_try(
    database: sa.Engine, members: Members, send: Send, messages: list[Message]
) -> None:
    mail_id = put_tier(database, members, expires_at=MORNING + timedelta(hours=1))
    assert send(NIGHT) == NONE | {"deferred": 1}
    waiting = row(database, mail_id)
    assert (waiting.due_at, waiting.attempts, waiting.leased_until) == (MORNING, 0, None)
    assert send(MORNING - timedelta(minutes=2)) == NONE
    assert send(MORNING) == NONE | {"sent": 1}
    assert len(messages) == 1


def test_it_is_dropped_if_it_is_of_no_use_by_then(database: sa.Engine, members: Members, send: Send) -> None:
    mail_id = put_tier(database, members, expires_at=MORNING)
    assert send(NIGHT) == NONE | {"dropped": 1}
    assert row(database, mail_id).dropped_reason == "expired"


def test_quiet_hours_that_were_changed_meanwhile_count(
    database: sa.Engine, members: Members, send: Send, messages: list[Message]
) -> None:
    mail_id = put_tier(database, members)
    assert send(NIGHT) == NONE | {"deferred": 1}
    with database.connect() as connection:
        connection.execute(sa.update(notification_preferences).values(quiet_to=time(12)))
    assert send(MORNING) == NONE | {"deferred": 1}
    assert row(database, mail_id).due_at == NOON + timedelta(hours=22)
    assert messages == []


def test_critical_mail_is_sent(database: sa.Engine, members: Members, send: Send, messages: list[Message]) -> None:
    member, _ = verification(database, members)
    hours = {"quiet_from": time(0), "quiet_to": time(23, 59), "time_zone": "UTC"}
    insert_row(database, notification_preferences, user_id=member.id, email_notifications=False, **hours)
    assert send() == NONE | {"sent": 1}
    assert [to for to, *_ in messages] == [member.email]

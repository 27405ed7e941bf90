"""What `queued` writes for a row: a mail, a row of the inbox, and a push message for each subscription."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.notifications.outbox import queued
from goatedvips.models.accounts import users
from goatedvips.models.notifications import notification_preferences, notifications, outbox, push_subscriptions
from tests.support.members import Member, Members
from tests.support.rows import insert_row

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def queue(database: sa.Engine, kind: str, member: Member, **columns: Any) -> None:
    rows = sa.select(
        users.c.id.label("user_id"),
        users.c.email,
        sa.func.jsonb_build_object("race_id", 7).label("payload"),
        *(sa.literal(value).label(name) for name, value in columns.items()),
    ).where(users.c.id == member.id)
    with database.connect() as connection:
        connection.execute(sa.select(1).add_cte(*queued(kind, rows)), {"now": NOON})


def of(database: sa.Engine, table: sa.Table, member: Member) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        return list(connection.execute(sa.select(table).where(table.c.user_id == member.id).order_by(table.c.id)))


def subscribe(database: sa.Engine, member: Member, name: str) -> None:
    keys = {"p256dh": "key", "auth": "secret", "created_at": NOON}
    insert_row(database, push_subscriptions, user_id=member.id, endpoint=f"https://push.example/{name}", **keys)


def test_a_row_becomes_a_mail_a_row_of_the_inbox_and_a_push_message_for_each_subscription(
    database: sa.Engine, members: Members
) -> None:
    member = members.new()
    for name in ("phone", "laptop"):
        subscribe(database, member, f"{name}-{member.id}")
    queue(database, "race_result", member, due_at=NOON + HOUR, expires_at=NOON + 2 * HOUR)
    mail, *pushes = sorted(of(database, outbox, member), key=lambda row: row.channel)
    assert (mail.channel, mail.address, mail.push_subscription_id) == ("mail", member.email, None)
    subscriptions = [row.id for row in of(database, push_subscriptions, member)]
    assert [(row.channel, row.address, row.push_subscription_id) for row in pushes] == [
        ("push", None, subscription) for subscription in subscriptions
    ]
    assert {(row.kind, row.due_at, row.expires_at, row.priority) for row in (mail, *pushes)} == {
        ("race_result", NOON + HOUR, NOON + 2 * HOUR, 3)
    }
    (shown,) = of(database, notifications, member)
    assert (shown.kind, shown.payload, shown.created_at, shown.due_at, shown.read_at) == (
        "race_result",
        {"race_id": 7},
        NOON,
        NOON + HOUR,
        None,
    )


@pytest.mark.parametrize("kind", ["verification", "ticket_opened", "campaign_test", "newsletter"])
def test_other_kinds_are_only_mailed(database: sa.Engine, members: Members, kind: str) -> None:
    member = members.new()
    subscribe(database, member, f"{kind}-{member.id}")
    queue(database, kind, member)
    (mail,) = of(database, outbox, member)
    assert (mail.kind, mail.channel) == (kind, "mail")
    assert of(database, notifications, member) == []


@pytest.mark.parametrize(
    ("kind", "preferences", "member_columns", "is_shown"),
    [
        ("race_result", {}, {}, True),
        ("race_result", {"wager_race_updates": False}, {}, False),
        ("race_result", {"email_notifications": False, "push_notifications": False}, {}, True),
        ("race_result", {}, {"email_verified": False}, True),
        ("race_result", {}, {"excluded_permanently": True}, False),
        ("race_result", {}, {"suspended_at": NOON}, False),
        ("race_result", {}, {"erased_at": NOON}, False),
        ("statement_written", {}, {"excluded_until": NOON}, True),
        ("statement_written", {"monthly_statements": False}, {}, False),
        ("link_ended", {"wager_race_updates": False}, {"excluded_until": NOON}, True),
        ("tier_reached", {"vip_status_changes": False}, {}, False),
        ("code_issued", {}, {}, False),
        ("code_issued", {"promotional_offers": True}, {}, False),
        ("code_issued", {"promotional_offers": True, "promotional_consented_at": NOON}, {}, True),
        ("code_issued", {"promotional_offers": False, "promotional_consented_at": NOON}, {}, False),
    ],
)
def test_the_inbox_has_what_the_switches_leave_on_whatever_the_channels(
    database: sa.Engine,
    members: Members,
    kind: str,
    preferences: Mapping[str, Any],
    member_columns: Mapping[str, Any],
    *,
    is_shown: bool,
) -> None:
    member = members.new(**member_columns)
    if preferences:
        insert_row(database, notification_preferences, user_id=member.id, **preferences)
    queue(database, kind, member)
    assert len(of(database, outbox, member)) == 1, "the mail is decided on when it is sent"
    assert [row.kind for row in of(database, notifications, member)] == [kind] * is_shown


def test_preferences_of_the_legacy_application_mean_nothing(database: sa.Engine, members: Members) -> None:
    member = members.new()
    insert_row(database, notification_preferences, wager_race_updates=False)
    queue(database, "race_result", member)
    assert len(of(database, notifications, member)) == 1


def test_a_kind_or_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(KeyError, match="race_results"):
        queued("race_results", sa.select(users.c.id.label("user_id")))
    with pytest.raises(LookupError, match="the outbox has no username"):
        queued("race_result", sa.select(users.c.id.label("user_id"), users.c.username))

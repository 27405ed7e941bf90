"""Every minute: audiences become mail, in portions where a campaign has a limit a day; campaigns pause and end."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.newsletter import queueing
from goatedvips.models.notifications import notifications, outbox
from tests.support.campaigns import SEND_AT, WRITTEN_AT, Campaigns, queue_campaigns
from tests.support.functions import Functions
from tests.support.members import Members

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
IDLE = {"queued": 0, "failed": 0, "ended": 0, "dropped": 0}


def send_waiting(campaigns: Campaigns, campaign_id: int, now: datetime) -> None:
    """Record that everything of the campaign that waits is sent."""
    with campaigns.database.connect() as connection:
        rows = (outbox.c.campaign_id == campaign_id) & outbox.c.sent_at.is_(None)
        connection.execute(sa.update(outbox).where(rows).values(sent_at=now))


def test_subscribers_get_one_mail_a_mailbox(campaigns: Campaigns, functions: Functions) -> None:
    emails = campaigns.subscribe(3)
    campaigns.subscribe(1, email=emails[0].upper(), email_key=None)
    campaigns.subscribe(2, is_subscribed=False, unsubscribed_at=WRITTEN_AT)
    campaign_id = campaigns.new()
    assert queue_campaigns(functions, SEND_AT - SECOND) == IDLE
    assert queue_campaigns(functions, SEND_AT) == IDLE | {"queued": 3}
    mails = campaigns.mails(campaign_id)
    assert [mail.address for mail in mails] == emails
    assert {(mail.kind, mail.priority, mail.user_id, mail.due_at) for mail in mails} == {
        ("newsletter", 4, None, SEND_AT)
    }
    assert all(mail.payload == {"campaign_id": campaign_id} for mail in mails)
    row = campaigns.row(campaign_id)
    assert (row.status, row.queued_at, row.window_began_at, row.next_portion_at) == ("sending", SEND_AT, SEND_AT, None)
    assert queue_campaigns(functions, SEND_AT + MINUTE) == IDLE


def test_members_also_get_it_in_their_inbox(
    campaigns: Campaigns, members: Members, functions: Functions, database: sa.Engine
) -> None:
    tier: dict[str, Any] = {"total_wager": Decimal(20_000_000), "tier": "Diamond"}
    consenting, without_mail, asked, other = (members.new(**columns) for columns in (tier, tier, tier, {}))
    campaigns.prefer(consenting)
    campaigns.prefer(without_mail, email_notifications=False)
    campaigns.prefer(asked, promotional_offers=False)
    campaigns.prefer(other)
    campaign_id = campaigns.new(audience="members", tiers=["Diamond"])
    queue_campaigns(functions, SEND_AT)
    mails = [mail for mail in campaigns.mails(campaign_id) if mail.user_id >= consenting.id]
    assert {(mail.kind, mail.user_id, mail.address, mail.dropped_reason) for mail in mails} == {
        ("campaign", consenting.id, consenting.email, None),
        ("campaign", without_mail.id, without_mail.email, "channel_off"),
    }
    with database.connect() as connection:
        shown = connection.execute(sa.select(notifications).where(notifications.c.user_id >= consenting.id)).all()
    assert {(item.user_id, item.kind) for item in shown} == {
        (consenting.id, "campaign"),
        (without_mail.id, "campaign"),
    }
    assert all(item.payload == {"campaign_id": campaign_id} for item in shown)
    answer = functions.call("get_campaign", by=members.staff(), path=f"/v1/admin/campaigns/{campaign_id}")
    sent_by_mail = campaigns.mails(campaign_id, outbox.c.dropped_at.is_(None))
    assert (answer.json["counts"]["queued"], answer.json["counts"]["dropped"]) == (len(sent_by_mail), 0)


def test_a_limit_a_day_spreads_it(campaigns: Campaigns, functions: Functions) -> None:
    emails = campaigns.subscribe(9)
    campaign_id = campaigns.new(per_day=4)
    queued = {}
    for hours in range(0, 75, 5):
        now = SEND_AT + hours * HOUR
        queued[hours] = queue_campaigns(functions, now)["queued"]
        send_waiting(campaigns, campaign_id, now)
    assert {hours: count for hours, count in queued.items() if count} == {0: 4, 25: 4, 50: 1}
    assert [mail.address for mail in campaigns.mails(campaign_id)] == emails
    row = campaigns.row(campaign_id)
    assert (row.status, row.ended_at) == ("sent", SEND_AT + 55 * HOUR)


def test_portions_begin_at_the_same_time_of_day(campaigns: Campaigns, functions: Functions) -> None:
    campaigns.subscribe(9)
    campaign_id = campaigns.new(per_day=3)
    for days in range(2):
        queue_campaigns(functions, SEND_AT + days * DAY + 59 * SECOND)
        send_waiting(campaigns, campaign_id, SEND_AT + days * DAY + MINUTE)
    assert campaigns.row(campaign_id).next_portion_at == SEND_AT + 2 * DAY
    assert queue_campaigns(functions, SEND_AT + 2 * DAY - SECOND)["queued"] == 0
    assert queue_campaigns(functions, SEND_AT + 2 * DAY)["queued"] == 3
    assert campaigns.row(campaign_id).next_portion_at is None  # a limit that divides the audience has no empty portion


def test_a_member_who_changes_the_address_meanwhile_gets_it_once(
    campaigns: Campaigns, members: Members, functions: Functions
) -> None:
    tier: dict[str, Any] = {"total_wager": Decimal(450_000), "tier": "Platinum"}
    people = [members.new(**tier) for _ in range(3)]
    for member in people:
        campaigns.prefer(member)
    campaign_id = campaigns.new(audience="members", tiers=["Platinum"], per_day=1)
    for days in range(4):
        queue_campaigns(functions, SEND_AT + days * DAY)
        send_waiting(campaigns, campaign_id, SEND_AT + days * DAY)
        first = campaigns.mails(campaign_id)[0]
        email = f"zzz-{first.user_id}@example.com"
        members.change(next(one for one in people if one.id == first.user_id), email=email, email_key=email)
    assert sorted(mail.user_id for mail in campaigns.mails(campaign_id)) == sorted(member.id for member in people)


def test_a_portion_waits_for_the_one_before(campaigns: Campaigns, functions: Functions) -> None:
    campaigns.subscribe(5)
    campaign_id = campaigns.new(per_day=2)
    queue_campaigns(functions, SEND_AT)
    assert queue_campaigns(functions, SEND_AT + 3 * DAY) == IDLE
    send_waiting(campaigns, campaign_id, SEND_AT + 3 * DAY)
    assert queue_campaigns(functions, SEND_AT + 3 * DAY + MINUTE)["queued"] == 2
    assert campaigns.row(campaign_id).next_portion_at == SEND_AT + 4 * DAY + MINUTE


def test_a_resumed_campaign_has_one_portion_a_day(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    campaigns.subscribe(5)
    campaign_id = campaigns.new(per_day=2)
    queue_campaigns(functions, SEND_AT)
    staff, path, later = members.staff(), f"/v1/admin/campaigns/{campaign_id}", SEND_AT + 3 * DAY
    for status, now in (("paused", SEND_AT + MINUTE), ("sending", later)):
        functions.call("update_campaign", by=staff, now=now, path=path, body={"status": status})
    send_waiting(campaigns, campaign_id, later)
    assert queue_campaigns(functions, later + DAY - SECOND)["queued"] == 0
    assert queue_campaigns(functions, later + DAY)["queued"] == 2


def test_nothing_is_queued_of_a_campaign_that_is_paused_or_cancelled(
    campaigns: Campaigns, functions: Functions
) -> None:
    campaigns.subscribe(5)
    for status in ("draft", "paused", "sent", "cancelled"):
        campaigns.new(status=status, next_portion_at=SEND_AT, queued_at=WRITTEN_AT, ended_at=None)
    assert queue_campaigns(functions, SEND_AT) == IDLE


def test_more_than_an_hour_late_is_too_late(
    campaigns: Campaigns, functions: Functions, caplog: pytest.LogCaptureFixture, database: sa.Engine
) -> None:
    campaigns.subscribe(1)
    campaign_id = campaigns.new()
    assert queue_campaigns(functions, SEND_AT + HOUR + SECOND) == IDLE | {"paused": 1}
    row = campaigns.row(campaign_id)
    assert (row.status, row.paused_reason, row.queued_at) == ("paused", "overdue", None)
    (record,) = (record for record in caplog.records if record.getMessage() == "alarm")
    assert (vars(record)["alarm"], vars(record)["campaign_id"]) == ("campaign_paused", campaign_id)
    with database.connect() as connection:
        (mail,) = connection.execute(sa.select(outbox)).all()
    assert (mail.kind, mail.address, mail.campaign_id) == ("campaign_paused", None, None)
    assert mail.payload == {"campaign_id": campaign_id, "reason": "overdue", "sent": 0, "bounced": 0, "complained": 0}
    assert queue_campaigns(functions, SEND_AT + HOUR + MINUTE) == IDLE


def test_an_hour_late_is_not_too_late(campaigns: Campaigns, functions: Functions) -> None:
    campaigns.subscribe(1)
    campaigns.new()
    assert queue_campaigns(functions, SEND_AT + HOUR)["queued"] == 1


def test_a_campaign_ends_when_nothing_waits(campaigns: Campaigns, functions: Functions) -> None:
    campaigns.subscribe(4)
    campaign_id = campaigns.new()
    queue_campaigns(functions, SEND_AT)
    campaigns.change_mails(campaign_id, 3, sent_at=SEND_AT)
    assert queue_campaigns(functions, SEND_AT + MINUTE)["ended"] == 0
    campaigns.change_mails(campaign_id, 4, sent_at=SEND_AT, failed_at=SEND_AT)
    assert queue_campaigns(functions, SEND_AT + 2 * MINUTE)["ended"] == 1
    row = campaigns.row(campaign_id)
    assert (row.status, row.ended_at) == ("sent", SEND_AT + 2 * MINUTE)

    campaigns.change_mails(campaign_id, 1, sent_at=None, failed_at=None)  # as `make outbox-retry` does
    queue_campaigns(functions, SEND_AT + 3 * MINUTE)
    assert campaigns.row(campaign_id).status == "sending"
    campaigns.change_mails(campaign_id, 1, sent_at=SEND_AT + 4 * MINUTE)
    assert queue_campaigns(functions, SEND_AT + 5 * MINUTE)["ended"] == 1


def test_a_campaign_to_nobody_ends_at_once(campaigns: Campaigns, functions: Functions) -> None:
    campaign_id = campaigns.new()
    assert queue_campaigns(functions, SEND_AT)["queued"] == 0
    assert queue_campaigns(functions, SEND_AT + MINUTE)["ended"] == 1
    assert campaigns.row(campaign_id).status == "sent"


def test_what_waits_of_a_cancelled_campaign_is_dropped(
    campaigns: Campaigns, members: Members, functions: Functions
) -> None:
    campaigns.subscribe(5)
    campaign_id = campaigns.new()
    queue_campaigns(functions, SEND_AT)
    campaigns.change_mails(campaign_id, 2, leased_until=SEND_AT + 2 * MINUTE)
    campaigns.change_mails(campaign_id, 1, sent_at=SEND_AT)
    path = f"/v1/admin/campaigns/{campaign_id}"
    functions.call("update_campaign", by=members.staff(), now=SEND_AT, path=path, body={"status": "cancelled"})
    assert queue_campaigns(functions, SEND_AT + MINUTE)["dropped"] == 3  # and not the one that is being sent
    assert queue_campaigns(functions, SEND_AT + 3 * MINUTE)["dropped"] == 1
    dropped = campaigns.mails(campaign_id, outbox.c.dropped_at.is_not(None))
    assert [mail.dropped_reason for mail in dropped] == ["campaign_cancelled"] * 4
    assert campaigns.row(campaign_id).status == "cancelled"


def test_what_goes_wrong_with_one_does_not_delay_the_others(
    campaigns: Campaigns, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaigns.subscribe(2)
    first, second = campaigns.new(), campaigns.new()
    queue = queueing.queue

    def fail(connection: sa.Connection, due: queueing.Due, *, now: datetime) -> int:
        if due.id == first:
            raise RuntimeError("out of order")
        return queue(connection, due, now=now)

    monkeypatch.setattr(queueing, "queue", fail)
    assert queue_campaigns(functions, SEND_AT) == IDLE | {"queued": 2, "failed": 1}
    assert (campaigns.row(first).status, campaigns.row(second).status) == ("scheduled", "sending")

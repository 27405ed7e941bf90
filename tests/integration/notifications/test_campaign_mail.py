"""Mail of campaigns: who still gets it when it is sent, what it says, and when it stops."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.config import settings
from goatedvips.domain.notifications import sending, unsubscribe_tokens
from goatedvips.models.notifications import outbox
from tests.integration.notifications.conftest import NOON, Message, Run, Send, put
from tests.integration.notifications.test_handle_mail_events import deliver, report
from tests.support.campaigns import Campaigns, queue_campaigns
from tests.support.functions import Functions
from tests.support.members import Members

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LONG = 45  # looks at the clock: enough for every mail of a test


def unsubscribe(functions: Functions, database: sa.Engine, email: str) -> None:
    with database.connect() as connection:
        token = unsubscribe_tokens.sign(connection, "newsletter", email)
    assert functions.call("unsubscribe", query={"token": token}, now=NOON).status == 200


def begin(campaigns: Campaigns, functions: Functions, **columns: Any) -> int:
    """Make a campaign that begins now, and queue it."""
    campaign_id = campaigns.new(send_at=NOON, **columns)
    queue_campaigns(functions, NOON)
    return campaign_id


def set_status(functions: Functions, members: Members, campaign_id: int, status: str) -> None:
    path = f"/v1/admin/campaigns/{campaign_id}"
    answer = functions.call("update_campaign", by=members.staff(), now=NOON, path=path, body={"status": status})
    assert answer.status == 200, answer.text


def test_who_left_since_it_was_queued_gets_nothing(
    campaigns: Campaigns,
    members: Members,
    functions: Functions,
    send: Send,
    messages: list[Message],
    database: sa.Engine,
) -> None:
    emails = campaigns.subscribe(14)
    excluded, suspended = (members.new(email=email, email_key=email, seeds=False) for email in emails[9:11])
    campaign_id = begin(campaigns, functions)
    for email in emails[:3]:
        unsubscribe(functions, database, email)
    events = [report("Bounce", email) for email in emails[3:6]]
    deliver(functions, *events, *(report("Complaint", email) for email in emails[6:9]))
    functions.call("exclude_me", by=excluded, body={"permanent": True}, now=NOON)
    members.change(suspended, suspended_at=NOON)

    done = send(context=Run(LONG))
    assert [message[0] for message in messages] == emails[11:]
    assert (done["sent"], done["dropped"]) == (3, 11)
    reasons = Counter(mail.dropped_reason for mail in campaigns.mails(campaign_id))
    dropped = {"not_subscribed": 3, "bounced": 3, "complained": 3, "excluded": 1, "suspended": 1}
    assert reasons == dropped | {None: 3}
    assert queue_campaigns(functions, NOON + HOUR)["ended"] == 1
    answer = functions.call("get_campaign", by=members.staff(), path=f"/v1/admin/campaigns/{campaign_id}")
    counts = answer.json["counts"]
    assert (counts["queued"], counts["sent"], counts["dropped"], counts["unsubscribed"]) == (14, 3, 11, 0)


def test_what_becomes_of_sent_mail_is_counted(
    campaigns: Campaigns,
    members: Members,
    functions: Functions,
    send: Send,
    messages: list[Message],
    database: sa.Engine,
) -> None:
    emails = campaigns.subscribe(3)
    older, campaign_id = begin(campaigns, functions), begin(campaigns, functions)
    send(context=Run(LONG))
    sent = {mail.address: mail for mail in campaigns.mails(campaign_id)}
    for kind, email in (("Bounce", emails[0]), ("Complaint", emails[1])):
        event = report(kind, email)
        event["mail"] |= {"messageId": sent[email].message_id, "tags": {}}
        deliver(functions, event)
    unsubscribe(functions, database, emails[1].upper())
    unsubscribe(functions, database, emails[1])
    unsubscribe(functions, database, emails[2])
    for id_, bounced, complained, unsubscribed in ((campaign_id, 1, 1, 2), (older, 0, 0, 0)):
        answer = functions.call("get_campaign", by=members.staff(), path=f"/v1/admin/campaigns/{id_}")
        assert answer.json["counts"] == {
            "queued": 3,
            "sent": 3,
            "bounced": bounced,
            "complained": complained,
            "unsubscribed": unsubscribed,
            "dropped": 0,
            "failed": 0,
        }


def test_pausing_stops_it_within_one_mail(
    campaigns: Campaigns,
    members: Members,
    functions: Functions,
    send: Send,
    messages: list[Message],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emails = campaigns.subscribe(16)
    campaign_id = begin(campaigns, functions)
    given: list[str] = []

    def take(to: str, *_: Any, **__: Any) -> str:
        given.append(to)
        if len(given) == 3:
            set_status(functions, members, campaign_id, "paused")
        return f"message-{len(given)}"

    monkeypatch.setattr("goatedvips.clients.ses.send", take)
    done = send(context=Run(LONG))
    assert (done["sent"], done["deferred"]) == (3, 11)  # the others of the batch of 14
    assert len(given) == 3
    assert {mail.attempts for mail in campaigns.mails(campaign_id, outbox.c.sent_at.is_(None))} == {0}

    set_status(functions, members, campaign_id, "sending")
    send(context=Run(LONG))
    assert given == emails
    assert queue_campaigns(functions, NOON + MINUTE)["ended"] == 1


def test_a_cancelled_campaign_sends_nothing_more(
    campaigns: Campaigns, members: Members, functions: Functions, send: Send, messages: list[Message]
) -> None:
    campaigns.subscribe(20)
    campaign_id = begin(campaigns, functions)
    set_status(functions, members, campaign_id, "cancelled")
    assert send(context=Run(LONG))["sent"] == 0
    assert messages == []
    assert campaigns.row(campaign_id).status == "cancelled"


def test_the_brake_stops_it_before_the_next_minute(
    campaigns: Campaigns, functions: Functions, send: Send, messages: list[Message], database: sa.Engine
) -> None:
    campaigns.subscribe(230)
    campaign_id = begin(campaigns, functions)
    campaigns.change_mails(campaign_id, 199, sent_at=NOON)
    campaigns.change_mails(campaign_id, 20, bounced_at=NOON)
    send(NOON + MINUTE, context=Run(LONG))
    assert len(messages) == 14  # the batch with which 200 were sent
    assert campaigns.row(campaign_id).status == "sending"
    assert queue_campaigns(functions, NOON + MINUTE)["paused"] == 1


def test_two_campaigns_are_sent_beside_each_other_and_after_all_other_mail(
    campaigns: Campaigns, members: Members, functions: Functions, database: sa.Engine
) -> None:
    campaigns.subscribe(40)
    first = begin(campaigns, functions)
    with database.connect() as connection:
        taken = sending.lease(connection, 14, rate=100, now=NOON)
    assert {mail.kind for mail in taken} == {"newsletter"}
    second = campaigns.new(send_at=NOON)
    queue_campaigns(functions, NOON)
    set_status(functions, members, first, "paused")
    member = members.new(seeds=False)
    last = put(database, "password_reset", user_id=member.id, address=member.email, priority=0)
    with database.connect() as connection:
        taken = sending.lease(connection, 14, rate=100, now=NOON)
    assert [mail.id for mail in taken[:1]] == [last]
    assert {mail.id for mail in taken[1:]} <= {mail.id for mail in campaigns.mails(second)}
    assert len(taken) == 14


def test_the_mail_says_what_staff_wrote(
    campaigns: Campaigns, functions: Functions, send: Send, messages: list[Any]
) -> None:
    (email,) = campaigns.subscribe(1)
    begin(campaigns, functions)
    send(context=Run(LONG))
    ((to, subject, text, html, reply_to),) = messages
    assert (to, subject, reply_to) == (email, "The week", None)
    assert text.startswith("Hello goats\n\nUnsubscribe: http")
    assert "<p>Hello <strong>goats</strong></p>" in html
    assert ">Unsubscribe</a>" in html


def test_a_test_mail_and_the_mail_about_a_pause(
    campaigns: Campaigns,
    members: Members,
    functions: Functions,
    send: Send,
    messages: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "staff_address", "desk@example.com")
    staff, campaign_id = members.staff(), campaigns.new(send_at=NOON - HOUR - MINUTE)
    functions.call("test_campaign", by=staff, now=NOON, path=f"/v1/admin/campaigns/{campaign_id}/test")
    queue_campaigns(functions, NOON)
    send(context=Run(LONG))
    test, report = sorted(messages, key=lambda message: message[1], reverse=True)
    assert test[:3] == (staff.email, "[Test] The week", "Hello goats\n")
    assert report[:2] == ("desk@example.com", f"Campaign #{campaign_id} is paused: The week")
    assert "It did not begin within an hour of its time." in report[2]

"""How push messages leave the outbox: which are put into S3 as a batch, and which are dropped or wait."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, time, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.config import settings
from goatedvips.domain.notifications.kinds import Priority
from goatedvips.domain.notifications.pushes import leases
from goatedvips.domain.notifications.sending import TRIES
from goatedvips.models.accounts import account_links
from goatedvips.models.notifications import notification_preferences, outbox, push_subscriptions
from goatedvips.models.tickets import ticket_messages
from tests.integration.notifications.conftest import MOMENT, NONE, NOON, Run, Send
from tests.integration.notifications.test_campaign_mail import set_status
from tests.integration.notifications.test_refusals import alarms
from tests.support import stack
from tests.support.campaigns import Campaigns, queue_campaigns
from tests.support.codes import Codes
from tests.support.functions import Functions
from tests.support.members import Member, Members
from tests.support.plans import fill, rows_read
from tests.support.pushes import AUTH, LINK, Pushes
from tests.support.races import Races
from tests.support.rows import insert_row
from tests.support.tickets import Tickets

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LEASE = timedelta(minutes=30)


def test_a_push_message_that_is_due_is_put_into_s3(pushes: Pushes, members: Members, send: Send) -> None:
    member = members.new(email_verified=False)  # a push message goes to no e-mail address
    subscription = pushes.subscribe(member, endpoint=f"https://web.push.apple.com/{member.id}")
    due, later = pushes.put(member, subscription), pushes.put(member, subscription, due_at=NOON + 10 * MINUTE)
    assert send() == NONE | {"handed_over": 1}
    (batch,) = pushes.batches()
    topic = batch["pushes"][0]["topic"]
    assert batch["pushes"] == [
        {
            "id": due,
            "attempt": 1,
            "endpoint": f"https://web.push.apple.com/{member.id}",
            "p256dh": "key",
            "auth": AUTH,
            "ttl": 7 * 24 * 3600,
            "topic": topic,
            "urgency": "normal",
            "message": {
                "web_push": 8030,
                "notification": {
                    "title": "Your casino account is no longer linked",
                    "body": "You can ask for a link again.",
                    "lang": "en",
                    "tag": topic,
                    "navigate": "https://front.example/notifications",
                },
            },
        }
    ]
    row = pushes.row(due)
    assert (row.leased_until, row.attempts, row.message_id) == (NOON + LEASE, 1, batch["batch"])
    assert (row.sent_at, row.failed_at, row.dropped_at) == (None, None, None)
    assert pushes.row(later).attempts == 0


def test_a_leased_row_is_leased_again_only_after_its_lease(pushes: Pushes, members: Members, send: Send) -> None:
    member = members.new()
    outbox_id = pushes.put(member, pushes.subscribe(member))
    for now, handed_over in ((NOON, 1), (NOON + LEASE - MINUTE, 0), (NOON + LEASE, 1)):
        assert send(now, Run(looks=2))["handed_over"] == handed_over
    first, second = pushes.batches()
    assert [push["attempt"] for batch in (first, second) for push in batch["pushes"]] == [1, 2]
    assert pushes.row(outbox_id).message_id == second["batch"] != first["batch"]


def test_it_looks_every_ten_seconds_and_at_once_for_more(
    pushes: Pushes, members: Members, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[datetime] = []
    lease = leases.lease

    def note(connection: sa.Connection, *, now: datetime) -> leases.Batch:
        seen.append(now)
        return lease(connection, now=now)

    monkeypatch.setattr(leases, "lease", note)
    send(context=Run(looks=22))  # a look for mail takes two, and a pause of 2 s follows
    assert seen == [NOON + seconds * timedelta(seconds=1) for seconds in (0, 10, 20)]
    monkeypatch.setattr(leases, "BATCH", 2)
    monkeypatch.setattr(leases, "lease", lambda *given, **named: lease(*given, batch=2, **named))
    member = members.new()
    subscription = pushes.subscribe(member)
    ids = [pushes.put(member, subscription, due_at=NOON - n * MINUTE, priority=1 + n % 2 * 2) for n in range(5)]
    context = Run(looks=8)
    assert send(context=context)["handed_over"] == 5
    assert sum(context.slept) < 10
    in_order = [ids[n] for n in (4, 2, 0, 3, 1)]
    assert [push["id"] for batch in pushes.batches() for push in batch["pushes"]] == in_order


def test_what_s3_does_not_take_is_put_back_and_mail_goes_on(
    pushes: Pushes, members: Members, send: Send, messages: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    member = members.new()
    due_at = NOON - HOUR
    outbox_id = pushes.put(member, pushes.subscribe(member), due_at=due_at)
    mail_id = insert_row(
        pushes.database, outbox, kind="link_ended", user_id=member.id, address=member.email, payload=LINK,
        created_at=NOON, due_at=NOON,
    )  # fmt: skip
    monkeypatch.setattr(settings, "feed_bucket", "another-bucket")
    assert send(context=Run(looks=40)) == NONE | {"put_back": 1, "sent": 1}
    row = pushes.row(outbox_id)
    assert (row.leased_until, row.attempts, row.due_at, row.last_error) == (None, 0, due_at, None)
    assert len(messages) == 1
    assert pushes.row(mail_id).sent_at is not None


def test_mail_goes_on_when_push_messages_cannot_be_handed_over(
    pushes: Pushes,
    members: Members,
    send: Send,
    messages: list[Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    member = members.new()
    monkeypatch.setattr(leases, "decide", None)
    pushes.put(member, pushes.subscribe(member))
    mail = {"kind": "link_ended", "payload": LINK, "created_at": NOON, "due_at": NOON}
    insert_row(pushes.database, outbox, user_id=member.id, address=member.email, **mail)
    assert send(context=Run(looks=40)) == NONE | {"sent": 1}
    assert len(messages) == 1
    assert caplog.messages.count("not handed over") == 1


def test_without_a_key_nothing_waits_for_good(
    pushes: Pushes, members: Members, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "push_public_key", "")
    member = members.new()
    outbox_id = pushes.put(member, pushes.subscribe(member))
    assert send() == NONE | {"dropped": 1}
    assert (pushes.row(outbox_id).dropped_reason, pushes.batches()) == ("push_not_configured", [])


def test_two_runs_at_once_lease_each_row_once(pushes: Pushes, members: Members, servers: stack.Stack) -> None:
    member = members.new()
    subscription = pushes.subscribe(member)
    ids = sorted(pushes.put(member, subscription) for _ in range(12))
    url = sa.make_url(servers.direct(pushes.database.url.database or "")).set(drivername="postgresql+oneflight")
    engine = sa.create_engine(url, pool_size=3)

    def work(_: int) -> list[int]:
        taken: list[int] = []
        for _ in range(4):
            with engine.begin() as connection:
                taken += [row.id for row in leases.lease(connection, now=NOON, batch=3).rows]
        return taken

    with ThreadPoolExecutor(3) as pool:
        assert sorted(outbox_id for taken in pool.map(work, range(3)) for outbox_id in taken) == ids
    engine.dispose()


def test_a_row_goes_only_to_a_subscription_of_its_member(
    pushes: Pushes, members: Members, send: Send, functions: Functions
) -> None:
    first, second = members.new(), members.new()
    moved, removed, kept = (pushes.subscribe(first) for _ in range(3))
    ids = [pushes.put(first, subscription) for subscription in (moved, removed, kept)]
    own = pushes.put(second, moved)
    with pushes.database.connect() as connection:
        connection.execute(
            sa.update(push_subscriptions).where(push_subscriptions.c.id == moved).values(user_id=second.id)
        )
        connection.execute(sa.delete(push_subscriptions).where(push_subscriptions.c.id == removed))
    assert send() == NONE | {"dropped": 2, "handed_over": 2}
    assert pushes.sent().keys() == {ids[2], own}
    assert [pushes.row(outbox_id).dropped_reason for outbox_id in ids] == ["subscription_ended"] * 2 + [None]


@pytest.mark.parametrize(
    ("kind", "preferences", "columns", "outcome"),
    [
        ("race_result", {}, {}, "sent"),
        ("race_result", {"wager_race_updates": False}, {}, "switched_off"),
        ("race_result", {"push_notifications": False}, {}, "channel_off"),
        ("race_result", {"email_notifications": False}, {}, "sent"),
        ("race_result", {}, {"excluded_until": NOON + HOUR}, "excluded"),
        ("race_result", {}, {"suspended_at": NOON}, "suspended"),
        ("tier_reached", {"vip_status_changes": False}, {}, "switched_off"),
        ("statement_written", {"monthly_statements": False}, {}, "switched_off"),
        ("statement_written", {}, {"excluded_permanently": True}, "sent"),
        ("link_ended", {"push_notifications": False}, {}, "channel_off"),
        ("link_ended", {}, {"suspended_at": NOON}, "sent"),
        ("password_reset", {}, {}, "not_pushed"),
    ],
)
def test_each_row_is_decided_as_mail_is(
    pushes: Pushes,
    members: Members,
    send: Send,
    kind: str,
    preferences: dict[str, Any],
    columns: dict[str, Any],
    outcome: str,
) -> None:
    payloads: dict[str, Any] = {
        "race_result": {"race_id": 1, "title": "June", "rank": 1, "prize": "5"},
        "tier_reached": {"tier": "Gold", "reward": "5"},
        "statement_written": {"month": "2026-04-01"},
    }
    member = members.new(**columns)
    insert_row(pushes.database, notification_preferences, user_id=member.id, **preferences)
    outbox_id = pushes.put(member, pushes.subscribe(member), kind, payload=payloads.get(kind, LINK))
    assert send() == NONE | ({"handed_over": 1} if outcome == "sent" else {"dropped": 1})
    assert pushes.row(outbox_id).dropped_reason == (None if outcome == "sent" else outcome)


def test_quiet_hours_delay_a_push_message_unless_it_is_of_no_use_by_then(
    pushes: Pushes, members: Members, send: Send
) -> None:
    member = members.new()
    quiet = {"quiet_from": time(11), "quiet_to": time(15), "time_zone": "UTC"}
    insert_row(pushes.database, notification_preferences, user_id=member.id, **quiet)
    subscription = pushes.subscribe(member)
    waits, useless = (
        pushes.put(member, subscription, expires_at=NOON + hours * HOUR, due_at=NOON - HOUR) for hours in (4, 3)
    )
    assert send() == NONE | {"deferred": 1, "dropped": 1}
    row = pushes.row(waits)
    assert (row.due_at, row.attempts, row.leased_until) == (NOON + 3 * HOUR, 0, None)
    assert pushes.row(useless).dropped_reason == "expired"
    assert send(NOON + 3 * HOUR) == NONE | {"handed_over": 1}
    assert pushes.sent()[waits]["ttl"] == 3600


def test_the_ttl_is_the_time_that_is_left(pushes: Pushes, members: Members, send: Send) -> None:
    member = members.new()
    subscription = pushes.subscribe(member)
    cases = {None: 7 * 86400, NOON + 30 * DAY: 7 * 86400, NOON + HOUR: 3600, NOON + MOMENT: 0}
    ids = {pushes.put(member, subscription, expires_at=end): ttl for end, ttl in cases.items()}
    send()
    assert {outbox_id: push["ttl"] for outbox_id, push in pushes.sent().items()} == ids


def test_what_is_no_longer_true_is_dropped(
    pushes: Pushes, members: Members, codes: Codes, races: Races, send: Send
) -> None:
    member = members.new()
    insert_row(pushes.database, notification_preferences, user_id=member.id, promotional_consented_at=NOON)
    subscription = pushes.subscribe(member)
    open_code, claimed, revoked = (
        codes.new(user_id=member.id, max_claims=1, expires_at=NOON + DAY, **columns)
        for columns in ({}, {"claims": 1, "is_used": True}, {"revoked_at": NOON})
    )
    live, cancelled = races.new(), races.new(cancelled_at=NOON)
    ticket = Tickets(pushes.database).new(member.id)
    answer, internal = (
        insert_row(
            pushes.database,
            ticket_messages,
            ticket_id=ticket,
            message="x",
            is_staff_reply=True,
            is_internal=is_internal,
        )
        for is_internal in (False, True)
    )
    link = insert_row(
        pushes.database, account_links, user_id=member.id, uid=f"u{member.id}", decision="refused", requested_at=NOON
    )

    def expiring(code: Any) -> tuple[str, dict[str, Any]]:
        return "win_expiring", {"code_id": code.id, "batch_id": None, "code": "A-1", "expires_at": "infinity"}

    def started(race_id: int) -> tuple[str, dict[str, Any]]:
        return "race_started", {"race_id": race_id, "title": "x", "end_date": "infinity"}

    expected = {
        pushes.put(member, subscription, kind, payload=payload): reason
        for (kind, payload), reason in (
            (expiring(open_code), None),
            (expiring(claimed), "claimed"),
            (expiring(revoked), "no_longer_wanted"),
            (started(live), None),
            (started(cancelled), "no_longer_wanted"),
            (("ticket_reply", {"ticket_id": ticket, "message_id": answer, "subject": "x"}), None),
            (("ticket_reply", {"ticket_id": ticket, "message_id": internal, "subject": "x"}), "no_longer_wanted"),
            (("ticket_reply", {"ticket_id": ticket, "message_id": 2**30, "subject": "x"}), "no_longer_wanted"),
            (("link_decided", {"link_id": link, "decision": "refused"}), None),
            (("link_decided", {"link_id": 2**30, "decision": "refused"}), "no_longer_wanted"),
        )
    }
    send()
    assert {outbox_id: pushes.row(outbox_id).dropped_reason for outbox_id in expected} == expected
    assert pushes.sent().keys() == {outbox_id for outbox_id, reason in expected.items() if reason is None}


def test_a_row_at_fault_delays_no_other_and_is_given_up_after_its_tries(
    pushes: Pushes, members: Members, send: Send, capsys: pytest.CaptureFixture[str]
) -> None:
    member = members.new()
    subscription = pushes.subscribe(member)
    faulty = pushes.put(member, subscription, payload={"reason": "a secret"})
    unknown = pushes.put(member, subscription, "smoke_signal")
    lost = pushes.put(member, subscription, attempts=TRIES)  # no result of its last try has come
    good = pushes.put(member, subscription)
    assert send() == NONE | {"retried": 2, "given_up": 1, "handed_over": 1}
    assert pushes.sent().keys() == {good}
    assert [pushes.row(outbox_id).last_error for outbox_id in (faulty, unknown, lost)] == [
        "KeyError",
        "KeyError",
        "LeaseExpired",
    ]
    assert alarms(capsys) == ["outbox_given_up"]
    now = NOON
    for attempt in range(1, TRIES):
        now += MINUTE * 2 ** (attempt - 1)
        assert pushes.row(faulty).due_at == now
        send(now, Run(looks=2))
    assert (pushes.row(faulty).attempts, pushes.row(faulty).failed_at) == (TRIES, now)
    assert alarms(capsys) == ["outbox_given_up"] * 2


def queue_campaign(
    pushes: Pushes, campaigns: Campaigns, functions: Functions, member: Member, **columns: Any
) -> tuple[int, int]:
    """Queue a campaign to members that begins now; return its id, and that of its push message to the member."""
    campaign_id = campaigns.new(audience="members", send_at=NOON, **columns)
    queue_campaigns(functions, NOON)
    return campaign_id, push_of(pushes, member)


def push_of(pushes: Pushes, member: Member) -> int:
    with pushes.database.connect() as connection:
        (outbox_id,) = connection.scalars(
            sa.select(outbox.c.id).where(outbox.c.user_id == member.id, outbox.c.channel == "push")
        )
    return int(outbox_id)


@pytest.fixture
def fan(members: Members, campaigns: Campaigns, pushes: Pushes) -> Member:
    """A member who wants promotional offers, by push only."""
    member = members.new()
    campaigns.prefer(member, email_notifications=False)
    pushes.subscribe(member)
    return member


@pytest.mark.parametrize(("subject", "title"), [("Spring news", "Spring news"), ("Win $50", "A message to members")])
def test_a_campaign_s_push_message_has_its_subject_but_no_amount(
    pushes: Pushes, campaigns: Campaigns, functions: Functions, fan: Member, send: Send, subject: str, title: str
) -> None:
    _, outbox_id = queue_campaign(pushes, campaigns, functions, fan, subject=subject)
    assert pushes.row(outbox_id).expires_at == NOON + DAY
    send()
    push = pushes.sent()[outbox_id]
    assert (push["ttl"], push["urgency"]) == (86400, "low")
    shown = push["message"]["notification"]
    assert (shown["title"], shown["body"]) == (title, "Read it in your inbox.")


def test_a_campaign_s_push_messages_wait_and_end_with_it(
    pushes: Pushes, campaigns: Campaigns, members: Members, functions: Functions, fan: Member, send: Send
) -> None:
    campaign_id, outbox_id = queue_campaign(pushes, campaigns, functions, fan)
    set_status(functions, members, campaign_id, "paused")
    assert send() == NONE
    assert pushes.row(outbox_id).attempts == 0
    queue_campaigns(functions, NOON)
    assert campaigns.row(campaign_id).status == "paused"
    set_status(functions, members, campaign_id, "sending")
    queue_campaigns(functions, NOON)
    assert campaigns.row(campaign_id).status == "sending", "its push message waits"
    set_status(functions, members, campaign_id, "cancelled")
    assert send() == NONE
    queue_campaigns(functions, NOON)
    assert pushes.row(outbox_id).dropped_reason == "campaign_cancelled"
    assert pushes.batches() == []


def test_a_campaign_ends_when_its_push_messages_have_left(
    pushes: Pushes, campaigns: Campaigns, functions: Functions, fan: Member, send: Send
) -> None:
    campaign_id, outbox_id = queue_campaign(pushes, campaigns, functions, fan)
    assert send()["handed_over"] == 1
    queue_campaigns(functions, NOON)
    assert campaigns.row(campaign_id).status == "sending", "no result has come back"
    pushes.record(pushes.row(outbox_id).message_id, {"id": outbox_id, "status": 201})
    queue_campaigns(functions, NOON)
    assert campaigns.row(campaign_id).status == "sent"


def test_the_brake_stops_the_push_messages_of_a_campaign(
    pushes: Pushes, campaigns: Campaigns, functions: Functions, fan: Member, send: Send
) -> None:
    campaign_id, _ = queue_campaign(pushes, campaigns, functions, fan)
    for number in range(200):
        campaigns.mail(campaign_id, sent_at=NOON, bounced_at=NOON if number < 10 else None)
    assert send() == NONE
    assert pushes.batches() == []


def test_a_member_who_is_excluded_after_a_campaign_was_queued_gets_no_push_message_of_it(
    pushes: Pushes, campaigns: Campaigns, functions: Functions, fan: Member, send: Send
) -> None:
    _, outbox_id = queue_campaign(pushes, campaigns, functions, fan)
    functions.call("exclude_me", by=fan, body={"permanent": True}, now=NOON)
    assert send()["handed_over"] == 0
    assert pushes.row(outbox_id).dropped_reason == "excluded"


CROWD = """
    WITH campaign AS (
        INSERT INTO campaigns (audience, subject, body, html, plain_text, status, created_at, updated_at, queued_at)
        VALUES ('members', '', '', '', '', 'paused', '2026-05-01', '2026-05-01', '2026-05-01') RETURNING id
    )
    INSERT INTO outbox (kind, priority, channel, payload, created_at, due_at)
    SELECT 'campaign', 4, 'push', jsonb_build_object('campaign_id', campaign.id), '2026-05-01', '2026-05-01 11:00'
    FROM campaign, generate_series(1, 30000) n
"""


def test_push_messages_of_a_paused_campaign_are_not_read(
    servers: stack.Stack, pushes: Pushes, members: Members
) -> None:
    member = members.new()
    fill(pushes.database, CROWD)
    due = pushes.put(member, pushes.subscribe(member))
    parameters = {"batch": 100, "batch_name": "f" * 32, "lease_ends_at": NOON + LEASE, "now": NOON}
    try:
        url = servers.direct(os.environ["TEST_DATABASE"], "jobs")
        read = rows_read(url, sa.select(leases._lease.subquery()), parameters)
        with pushes.database.connect() as connection:
            leased = leases.lease(connection, now=NOON)
    finally:
        fill(pushes.database, "TRUNCATE outbox", "UPDATE campaigns SET status = 'cancelled' WHERE status = 'paused'")
    assert [row.id for row in leased.rows] == [due]
    assert read["outbox"] <= 100 * len(Priority)

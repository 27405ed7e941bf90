"""SES reports bounces and complaints: to whom mail ends, and for how long."""

import json
import secrets
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.notifications import mailed_tokens
from goatedvips.domain.notifications.bounces import BOUNCES
from goatedvips.events import ForeignEvent
from goatedvips.models.notifications import mail_blocks, outbox
from tests.integration.notifications.conftest import MOMENT, NONE, NOON, Message, Send, put, row
from tests.support.functions import ROOT, Functions
from tests.support.members import Member, Members

DAY = timedelta(hours=24)
NOTHING = {"bounced": 0, "complained": 0, "repeated": 0, "ignored": 0}
SAMPLE = json.loads((ROOT / "events" / "handle_mail_events.json").read_text())


def report(kind: str, email: str, at: datetime = NOON, **changes: object) -> dict[str, Any]:
    """An event of SES as its documentation shows it."""
    event: dict[str, Any] = json.loads(SAMPLE["Records"][0]["Sns"]["Message"])
    details = event.pop("bounce")
    timestamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if kind == "Bounce":
        details |= {"bouncedRecipients": [{"emailAddress": email, "action": "failed", "status": "5.1.1"}]}
        event["bounce"] = details | {"timestamp": timestamp} | changes
    elif kind == "Complaint":
        recipients = {"complainedRecipients": [{"emailAddress": email}], "timestamp": timestamp}
        event["complaint"] = recipients | {"complaintFeedbackType": "abuse", "complaintSubType": None} | changes
    event["mail"] |= {"messageId": secrets.token_hex(8), "tags": {"ses:configuration-set": ["BulkMailSet"]}}
    return event | {"eventType": kind}


def deliver(
    functions: Functions, *events: dict[str, Any] | str, now: datetime = NOON, message_id: str = ""
) -> dict[str, int]:
    records = []
    for event in events:
        record = json.loads(json.dumps(SAMPLE["Records"][0]))
        text = event if isinstance(event, str) else json.dumps(event)
        record["Sns"] |= {"MessageId": message_id or secrets.token_hex(16), "Message": text}
        records.append(record)
    done: dict[str, int] = functions.invoke("handle_mail_events", {"Records": records}, now=now)
    return done


def critical(database: sa.Engine, member: Member, at: datetime = NOON) -> int:
    return put(database, "email_changed", user_id=member.id, address=member.email, priority=0, due_at=at)


def service(database: sa.Engine, member: Member, at: datetime = NOON) -> int:
    payload = {"uid": "u1", "reason": "mistake"}
    return put(database, "link_ended", user_id=member.id, address=member.email, payload=payload, due_at=at)


def outcome(database: sa.Engine, mail_id: int) -> object:
    after = row(database, mail_id)
    return "sent" if after.sent_at else after.dropped_reason


@pytest.fixture(autouse=True)
def no_blocks(database: sa.Engine) -> None:
    with database.connect() as connection:
        connection.execute(sa.delete(mail_blocks))


@pytest.fixture
def member(members: Members) -> Member:
    return members.new(seeds=False)


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("Bounce", {"bounceType": "Permanent", "bounceSubType": "General"}, "bounced"),
        ("Bounce", {"bounceType": "Permanent", "bounceSubType": "NoEmail"}, "bounced"),
        ("Bounce", {"bounceType": "Permanent", "bounceSubType": "Suppressed"}, "bounced"),
        ("Bounce", {"bounceType": "Permanent", "bounceSubType": "OnAccountSuppressionList"}, "bounced"),
        ("Bounce", {"bounceType": "Permanent", "bounceSubType": "OneThatIsNew"}, "bounced"),
        ("Bounce", {"bounceType": "Undetermined", "bounceSubType": "Undetermined"}, None),
        ("Bounce", {"bounceType": "Transient", "bounceSubType": "General"}, None),
        ("Bounce", {"bounceType": "Transient", "bounceSubType": "MailboxFull"}, None),
        ("Bounce", {"bounceType": "Transient", "bounceSubType": "MessageTooLarge"}, None),
        ("Bounce", {"bounceType": "Transient", "bounceSubType": "ContentRejected"}, None),
        ("Bounce", {"bounceType": "Transient", "bounceSubType": "AttachmentRejected"}, None),
        ("Bounce", {"bounceType": "Transient", "bounceSubType": "CustomTimeoutExceeded"}, None),
        ("Bounce", {"bounceType": "Transient", "bounceSubType": "OneThatIsNew"}, None),
        ("Complaint", {"complaintFeedbackType": "abuse"}, "complained"),
        ("Complaint", {"complaintFeedbackType": None}, "complained"),
        ("Complaint", {"complaintSubType": "OnAccountSuppressionList"}, "complained"),
        ("Complaint", {"complaintFeedbackType": "not-spam"}, None),
        ("Delivery", {}, None),
        ("Send", {}, None),
    ],
)
def test_each_event_ends_the_mail_that_it_should(
    functions: Functions,
    database: sa.Engine,
    member: Member,
    send: Send,
    messages: list[Message],
    kind: str,
    changes: dict[str, Any],
    expected: str | None,
) -> None:
    effect = expected or "ignored"
    assert deliver(functions, report(kind, member.email.swapcase(), **changes)) == NOTHING | {effect: 1}
    ids = [service(database, member), critical(database, member), critical(database, member)]
    send()
    second = "bounced" if expected == "bounced" else "sent"
    assert [outcome(database, mail_id) for mail_id in ids] == [expected or "sent", "sent", second]


def test_the_table_names_every_type_and_subtype_that_ses_documents() -> None:
    assert {(kind, subtype) for kind, subtypes in BOUNCES.items() for subtype in subtypes} >= {
        ("Undetermined", "Undetermined"),
        *(("Permanent", name) for name in ("General", "NoEmail", "Suppressed", "OnAccountSuppressionList")),
        *(("Transient", name) for name in ("General", "MailboxFull", "MessageTooLarge", "ContentRejected")),
        ("Transient", "AttachmentRejected"),
    }


def test_critical_mail_to_an_address_that_bounced_is_tried_once_in_24_hours(
    functions: Functions, database: sa.Engine, member: Member, send: Send, messages: list[Message]
) -> None:
    deliver(functions, report("Bounce", member.email))
    results = []
    for at in (NOON, NOON + DAY - MOMENT - timedelta(seconds=50), NOON + DAY, NOON + DAY + timedelta(hours=1)):
        mail_id = critical(database, member, at)
        send(at)
        results.append(outcome(database, mail_id))
    assert results == ["sent", "bounced", "sent", "bounced"]


def test_a_retry_is_the_same_try(
    functions: Functions, database: sa.Engine, member: Member, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(functions, report("Bounce", member.email))
    answers: list[Exception | str] = [ValueError("once"), "message"]

    def fail_once(*_: object, **__: object) -> str:
        answer = answers.pop(0)
        if isinstance(answer, str):
            return answer
        raise answer

    monkeypatch.setattr("goatedvips.clients.ses.send", fail_once)
    mail_id = critical(database, member)
    assert send() == NONE | {"retried": 1}
    assert send(row(database, mail_id).due_at) == NONE | {"sent": 1}
    assert row(database, mail_id).message_id == "message"


def test_each_message_counts_once(functions: Functions, database: sa.Engine, member: Member) -> None:
    event, message_id = report("Bounce", member.email), secrets.token_hex(8)
    assert deliver(functions, event, message_id=message_id) == NOTHING | {"bounced": 1}
    with database.connect() as connection:
        connection.execute(sa.delete(mail_blocks))
    assert deliver(functions, event, message_id=message_id) == NOTHING | {"repeated": 1}
    with database.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(mail_blocks)) == 0


def test_a_mail_is_found_by_its_tag_or_by_its_message(
    functions: Functions, database: sa.Engine, member: Member, members: Members
) -> None:
    """The event may come before the sender has recorded SES's id; another recipient's mail is not marked."""
    other = members.new(seeds=False)
    by_tag, by_id, untouched = (
        put(database, "newsletter", address=member.email, message_id=f"ses-{number}", sent_at=NOON)
        for number in range(3)
    )
    stranger = put(database, "newsletter", address=other.email, message_id="ses-9", sent_at=NOON)
    first, second, third = (report(kind, member.email) for kind in ("Bounce", "Complaint", "Bounce"))
    first["mail"]["tags"] |= {"outbox_id": [str(by_tag)]}
    second["mail"]["messageId"] = "ses-1"
    third["mail"]["messageId"] = "ses-9"
    assert deliver(functions, second, first, third, first) == NOTHING | {"bounced": 3, "complained": 1}
    with database.connect() as connection:
        marks = sa.select(outbox.c.id, outbox.c.bounced_at, outbox.c.complained_at)
        found = {mail_id: (bounced, complained) for mail_id, bounced, complained in connection.execute(marks)}
    assert found[by_tag] == (NOON, None)
    assert found[by_id] == (None, NOON)
    assert found[untouched] == found[stranger] == (None, None)


@pytest.mark.parametrize(("kind", "effect"), [("Bounce", "bounced"), ("Complaint", "complained")])
def test_a_proved_new_address_ends_a_block_also_when_the_event_comes_later(
    functions: Functions,
    database: sa.Engine,
    member: Member,
    send: Send,
    messages: list[Message],
    kind: str,
    effect: str,
) -> None:
    new = f"new-{secrets.token_hex(4)}@example.com"
    deliver(functions, report(kind, new), report(kind, member.email))
    with database.connect() as connection:
        token = mailed_tokens.make_for_change(connection, member.id, new, asked_at=NOON, now=NOON)
    answer = functions.call("verify_email", body={"token": token}, now=NOON + timedelta(hours=1))
    assert answer.status == 200
    late = report(kind, new, NOON + timedelta(minutes=59))
    assert deliver(functions, late, now=NOON + timedelta(hours=2)) == NOTHING | {effect: 1}
    payload = {"uid": "u1", "reason": "mistake"}
    given: dict[str, Any] = {"user_id": member.id, "address": new, "payload": payload}
    first = put(database, "link_ended", due_at=NOON + timedelta(hours=2), **given)
    send(NOON + timedelta(hours=2))
    assert outcome(database, first) == "sent"
    deliver(functions, report(kind, new, NOON + timedelta(hours=3)))
    second = put(database, "link_ended", due_at=NOON + timedelta(hours=4), **given)
    send(NOON + timedelta(hours=4))
    assert outcome(database, second) == effect
    with database.connect() as connection:
        of_old = sa.select(mail_blocks.c[f"{effect}_at"]).where(mail_blocks.c.email_key == member.email.lower())
        assert connection.scalar(of_old) == NOON, "the block of the old address stays"


def test_staff_and_newsletter_confirmations_are_blocked_too(
    functions: Functions, database: sa.Engine, members: Members, send: Send, messages: list[Message]
) -> None:
    email = f"reader-{secrets.token_hex(4)}@example.com"
    assert functions.call("subscribe", body={"email": email}, now=NOON).status == 202
    deliver(functions, report("Complaint", email))
    assert send()["dropped"] == 1
    assert messages == []


@pytest.mark.parametrize(
    "changes",
    [
        {"Sns": SAMPLE["Records"][0]["Sns"] | {"TopicArn": "arn:aws:sns:eu-central-1:999999999999:MailEventsTopic"}},
        {"Sns": {}},
        {"EventSource": "aws:s3"},
    ],
)
def test_another_topic_is_refused(functions: Functions, database: sa.Engine, changes: dict[str, Any]) -> None:
    with pytest.raises(ForeignEvent):
        functions.invoke("handle_mail_events", {"Records": [SAMPLE["Records"][0] | changes]})
    with database.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(mail_blocks)) == 0


def test_what_is_no_event_is_ignored(functions: Functions) -> None:
    """SES sends a text to a topic when it becomes an event destination."""
    text = "Successfully validated SNS topic for Amazon SES event publishing."
    assert deliver(functions, text, {"hello": "there"}) == NOTHING | {"ignored": 2}

"""POST /v1/tickets: a member opens a support ticket."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.attempts import CLOCK_TOLERANCE
from goatedvips.models.notifications import outbox
from goatedvips.models.tickets import support_tickets
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.tickets import Tickets

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def open_ticket(functions: Functions, by: Member, **fields: object) -> Answer:
    return functions.call("open_ticket", by=by, body={"subject": "Help", "description": "Please."} | fields, now=NOON)


def stored(database: sa.Engine, member: Member) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        return list(connection.execute(sa.select(support_tickets).where(support_tickets.c.user_id == member.id)).all())


def mails(database: sa.Engine, ticket_id: int) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        named = outbox.c.payload["ticket_id"].as_integer() == ticket_id
        return list(connection.execute(sa.select(outbox).where(outbox.c.kind == "ticket_opened", named)).all())


def test_a_ticket_is_stored_and_a_mail_to_staff_is_queued(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member = members.new()
    answer = open_ticket(
        functions, member, subject="Où est mon prix ?", description="Line 1\n\tline 2 🐐", priority="high"
    )
    (row,) = stored(database, member)
    assert answer.status == 201
    assert answer.json == {
        "id": row.id,
        "user_id": member.id,
        "subject": "Où est mon prix ?",
        "description": "Line 1\n\tline 2 🐐",
        "status": "open",
        "priority": "high",
        "created_at": "2026-05-01T12:00:00Z",
        "updated_at": "2026-05-01T12:00:00Z",
    }
    assert (row.subject, row.description) == (answer.json["subject"], answer.json["description"])
    assert (row.status, row.priority, row.created_at, row.updated_at) == ("open", "high", NOON, NOON)
    (mail,) = mails(database, row.id)
    assert (mail.address, mail.user_id, mail.payload) == (None, None, {"ticket_id": row.id})
    assert (mail.created_at, mail.due_at, mail.attempts, mail.sent_at) == (NOON, NOON, 0, None)


def test_the_default_priority_is_medium(members: Members, functions: Functions) -> None:
    assert open_ticket(functions, members.new()).json["priority"] == "medium"


def test_lengths_count_characters_of_the_stored_text(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member = members.new()
    written = {"subject": "e\u0301" * 150, "description": "🐐" * 10_000}
    assert functions.call("open_ticket", by=member, raw=json.dumps(written, ensure_ascii=False)).status == 201
    assert stored(database, member)[0].subject == "é" * 150
    assert open_ticket(functions, member, subject="  Help \n").json["subject"] == "Help"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subject", ""),
        ("subject", " \t\n"),
        ("subject", "\u200b\u2060"),
        ("subject", "\u3164"),
        ("subject", "Help \u202e me"),
        ("subject", "x" * 151),
        ("subject", "a\x00b"),
        ("subject", "a\ud800"),
        ("subject", None),
        ("subject", 5),
        ("description", ""),
        ("description", "x" * 10_001),
        ("description", "a\x00b"),
        ("description", ["a"]),
        ("priority", "urgent"),
        ("priority", "HIGH"),
        ("priority", None),
        ("status", "closed"),
        ("is_staff_reply", True),
        ("user_id", 1),
    ],
)
def test_an_invalid_field_is_named_and_no_ticket_is_opened(
    members: Members, functions: Functions, database: sa.Engine, field: str, value: object
) -> None:
    member = members.new()
    refused = open_ticket(functions, member, **{field: value})
    assert refused.status == 422
    assert [error["pointer"] for error in refused.json["errors"]] == [f"/{field}"]
    assert stored(database, member) == []


def test_a_member_who_may_not_play_can_open_a_ticket(members: Members, functions: Functions) -> None:
    assert open_ticket(functions, members.new(excluded_permanently=True, email_verified=False)).status == 201


def test_a_suspended_member_and_an_ended_session_are_refused(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    assert functions.call("open_ticket").status == 401
    suspended, gone = members.new(suspended_at=NOON), members.new()
    members.end_session(gone)
    for member, expected in ((suspended, (403, "account_suspended")), (gone, (401, "unauthenticated"))):
        refused = open_ticket(functions, member)
        assert (refused.status, refused.json["code"]) == expected
        assert stored(database, member) == []


def test_two_requests_with_the_same_key_open_one_ticket_and_queue_one_mail(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member = members.new()
    answers = [
        functions.call(
            "open_ticket",
            by=member,
            body={"subject": "Help", "description": "Please."},
            headers={"idempotency-key": "k"},
        )
        for _ in range(2)
    ]
    assert answers[0].text == answers[1].text
    assert len(stored(database, member)) == len(mails(database, answers[0].json["id"])) == 1


def test_a_member_opens_at_most_twenty_tickets_an_hour(
    members: Members, functions: Functions, database: sa.Engine, tickets: Tickets
) -> None:
    member, hour = members.new(), timedelta(hours=1)
    for _ in range(5):
        tickets.new(member.id, created_at=NOON - hour)  # at the start of the window, which is exclusive
    for second in range(19):
        tickets.new(member.id, created_at=NOON - timedelta(seconds=second))
    key = {"idempotency-key": "twentieth"}
    body = {"subject": "Help", "description": "Please."}
    twentieth = functions.call("open_ticket", by=member, body=body, now=NOON, headers=key)
    assert twentieth.status == 201
    refused = open_ticket(functions, member)
    assert (refused.status, refused.json["code"]) == (429, "too_many_attempts")
    assert refused.headers["Retry-After"] == str(3600 - 18)
    assert len(stored(database, member)) == 25
    assert functions.call("open_ticket", by=member, body=body, now=NOON, headers=key).text == twentieth.text
    assert open_ticket(functions, members.new()).status == 201
    free = NOON + hour - timedelta(seconds=18)
    late = functions.call("open_ticket", by=member, body=body, now=free - timedelta(microseconds=1))
    assert (late.status, late.headers["Retry-After"]) == (429, "1")
    assert functions.call("open_ticket", by=member, body=body, now=free).status == 201


def test_a_ticket_of_the_future_does_not_close_the_throttle(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    """The clock of the machine that wrote it was ahead."""
    member = members.new()
    for _ in range(20):
        tickets.new(member.id, created_at=NOON + CLOCK_TOLERANCE + timedelta(microseconds=1))
    assert open_ticket(functions, member).status == 201


def test_a_ticket_that_was_opened_while_the_request_waited_for_the_lock_counts(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    member = members.new()
    for milliseconds in range(20):
        tickets.new(member.id, created_at=NOON + timedelta(milliseconds=milliseconds))
    assert open_ticket(functions, member).status == 429

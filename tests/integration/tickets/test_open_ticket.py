"""A member asks support for help."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.notifications import outbox
from goatedvips.models.tickets import support_tickets
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def opened(functions: Functions, by: Member, **fields: object) -> Answer:
    return functions.call("open_ticket", by=by, body={"subject": "Help", "description": "Please."} | fields, now=NOON)


def kept(database: sa.Engine, member: Member) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        return list(connection.execute(sa.select(support_tickets).where(support_tickets.c.user_id == member.id)).all())


def mails(database: sa.Engine, ticket_id: int) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        named = outbox.c.payload["ticket_id"].as_integer() == ticket_id
        return list(connection.execute(sa.select(outbox).where(outbox.c.kind == "ticket_opened", named)).all())


def test_a_ticket_is_kept_as_written_and_staff_are_told(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member = members.new()
    answer = opened(functions, member, subject="Où est mon prix ?", description="Line 1\n\tline 2 🐐", priority="high")
    (row,) = kept(database, member)
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


def test_a_ticket_is_of_medium_priority_unless_told_otherwise(members: Members, functions: Functions) -> None:
    assert opened(functions, members.new()).json["priority"] == "medium"


def test_lengths_count_characters_as_they_are_kept(members: Members, functions: Functions, database: sa.Engine) -> None:
    member = members.new()
    written = {"subject": "e\u0301" * 150, "description": "🐐" * 10_000}
    assert functions.call("open_ticket", by=member, raw=json.dumps(written, ensure_ascii=False)).status == 201
    assert kept(database, member)[0].subject == "é" * 150
    assert opened(functions, member, subject="  Help \n").json["subject"] == "Help"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subject", ""),
        ("subject", " \t\n"),
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
def test_a_wrong_field_is_named_and_opens_nothing(
    members: Members, functions: Functions, database: sa.Engine, field: str, value: object
) -> None:
    member = members.new()
    refused = opened(functions, member, **{field: value})
    assert refused.status == 422
    assert [error["pointer"] for error in refused.json["errors"]] == [f"/{field}"]
    assert kept(database, member) == []


def test_who_may_not_play_may_still_ask_for_help(members: Members, functions: Functions) -> None:
    assert opened(functions, members.new(excluded_permanently=True, email_verified=False)).status == 201


def test_who_lost_the_right_opens_nothing(members: Members, functions: Functions, database: sa.Engine) -> None:
    assert functions.call("open_ticket").status == 401
    suspended, gone = members.new(suspended_at=NOON), members.new()
    members.end_session(gone)
    for member, expected in ((suspended, (403, "account_suspended")), (gone, (401, "unauthenticated"))):
        refused = opened(functions, member)
        assert (refused.status, refused.json["code"]) == expected
        assert kept(database, member) == []


def test_a_key_opens_one_ticket_and_sends_one_mail(members: Members, functions: Functions, database: sa.Engine) -> None:
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
    assert len(kept(database, member)) == len(mails(database, answers[0].json["id"])) == 1

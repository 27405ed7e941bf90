"""POST /v1/tickets/{id}/messages: the owner and staff write messages, staff also internal notes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.tickets.messages import REOPENING_PERIOD
from tests.support.credentials import compose_mail
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.tickets import Tickets

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)


def reply(functions: Functions, by: Member | None, ticket_id: object, now: datetime = NOON, **fields: object) -> Answer:
    body = {"message": "Hello?"} | fields
    return functions.call("reply_ticket", by=by, path=f"/v1/tickets/{ticket_id}/messages", body=body, now=now)


def get(functions: Functions, by: Member, ticket_id: int) -> str:
    return functions.call("get_ticket", by=by, path=f"/v1/tickets/{ticket_id}", now=NOON + DAY).text


def test_the_owner_writes_a_message_and_waits_since_the_ticket_was_opened(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    member = members.new()
    ticket_id = tickets.new(member.id, created_at=NOON - DAY, updated_at=NOON - DAY)
    answer = reply(functions, member, ticket_id, message="  Line 1\n\tline 2 🐐 ")
    (row,) = tickets.messages(ticket_id)
    assert answer.status == 201
    assert answer.json == {
        "id": row.id,
        "author": member.username,
        "is_staff_reply": False,
        "internal": False,
        "message": "Line 1\n\tline 2 🐐",
        "created_at": "2026-05-01T12:00:00Z",
    }
    assert (row.user_id, row.message, row.is_staff_reply, row.is_internal) == (
        member.id,
        answer.json["message"],
        False,
        False,
    )
    ticket = tickets.row(ticket_id)
    assert (ticket.status, ticket.updated_at, ticket.waiting_since) == ("open", NOON, NOON - DAY)
    assert tickets.mails("ticket_opened", ticket_id=ticket_id) == []


def test_the_first_staff_reply_takes_the_ticket_into_progress_and_mails_its_owner(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    member, staff = members.new(), members.staff()
    ticket_id = tickets.new(member.id, created_at=NOON - DAY)
    answer = reply(functions, staff, ticket_id)
    assert (answer.status, answer.json["is_staff_reply"], answer.json["author"]) == (201, True, staff.username)
    ticket = tickets.row(ticket_id)
    assert (ticket.status, ticket.waiting_since, ticket.staff_replied_at) == ("in_progress", None, NOON)
    (mail,) = tickets.mails("ticket_reply", message_id=answer.json["id"])
    assert (mail.user_id, mail.address, mail.due_at) == (member.id, member.email, NOON)
    assert reply(functions, member, ticket_id, NOON + DAY).status == 201
    ticket = tickets.row(ticket_id)
    assert (ticket.status, ticket.waiting_since, ticket.staff_replied_at) == ("in_progress", NOON + DAY, None)
    reply(functions, member, ticket_id, NOON + 2 * DAY)
    assert tickets.row(ticket_id).waiting_since == NOON + DAY, "since the first message without an answer"


def test_no_mail_goes_to_an_unproved_address(
    members: Members, functions: Functions, tickets: Tickets, database: sa.Engine
) -> None:
    ticket_id = tickets.new(members.new(email_verified=False).id)
    answer = reply(functions, members.staff(), ticket_id)
    (mail,) = tickets.mails("ticket_reply", message_id=answer.json["id"])
    assert compose_mail(database, mail) is None


def test_an_internal_note_leaves_no_trace_for_the_owner(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    member, staff = members.new(), members.staff()
    ticket_id = tickets.new(member.id, created_at=NOON - DAY, updated_at=NOON - DAY)
    before, row, listed = (
        get(functions, member, ticket_id),
        tickets.row(ticket_id),
        functions.call("list_tickets", by=member).text,
    )
    answer = reply(functions, staff, ticket_id, internal=True, message="zebra")
    assert (answer.status, answer.json["internal"]) == (201, True)
    assert tickets.row(ticket_id) == row
    assert (get(functions, member, ticket_id), functions.call("list_tickets", by=member).text) == (before, listed)
    assert tickets.mails("ticket_reply", message_id=answer.json["id"]) == []
    assert "zebra" in get(functions, staff, ticket_id)
    # The owner has seen all messages that they can see, so nothing is newer for them.
    assert reply(functions, member, ticket_id, after=0).status == 201


def test_only_staff_write_internal_notes(members: Members, functions: Functions, tickets: Tickets) -> None:
    member = members.new()
    ticket_id = tickets.new(member.id)
    refused = reply(functions, member, ticket_id, internal=True)
    assert (refused.status, refused.json["code"]) == (403, "forbidden")
    assert tickets.messages(ticket_id) == []


def test_staff_are_a_member_on_their_own_ticket(members: Members, functions: Functions, tickets: Tickets) -> None:
    staff = members.staff()
    ticket_id = tickets.new(staff.id)
    assert reply(functions, staff, ticket_id).json["is_staff_reply"] is False
    assert tickets.row(ticket_id).status == "open"


def test_staff_reply_on_an_adopted_ticket_without_an_owner(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    ticket_id = tickets.new(None)
    assert reply(functions, members.new(), ticket_id).status == 404
    assert reply(functions, members.staff(), ticket_id).status == 201


@pytest.mark.parametrize(
    ("age", "status"), [(REOPENING_PERIOD - MOMENT, 201), (REOPENING_PERIOD, 409)], ids=["14 days", "later"]
)
def test_the_owner_reopens_a_closed_ticket_within_14_days(
    members: Members, functions: Functions, tickets: Tickets, age: timedelta, status: int
) -> None:
    member = members.new()
    ticket_id = tickets.new(member.id, created_at=NOON - 30 * DAY)
    assert (
        functions.call("close_ticket", by=member, path=f"/v1/tickets/{ticket_id}/closure", now=NOON - age).status == 200
    )
    answer = reply(functions, member, ticket_id)
    ticket = tickets.row(ticket_id)
    assert answer.status == status
    if status == 201:
        assert (ticket.status, ticket.waiting_since) == ("open", NOON)
        assert len(tickets.mails("ticket_opened", ticket_id=ticket_id)) == 1
    else:
        assert answer.json["code"] == "ticket_closed"
        assert (ticket.status, ticket.waiting_since, tickets.messages(ticket_id)) == ("closed", None, [])


def test_a_staff_reply_does_not_reopen_a_closed_ticket(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    member = members.new()
    ticket_id = tickets.new(member.id, status="closed", closed_at=NOON - 30 * DAY)
    answer = reply(functions, members.staff(), ticket_id)
    assert (answer.status, tickets.row(ticket_id).status) == (201, "closed")
    assert len(tickets.mails("ticket_reply", message_id=answer.json["id"])) == 1


def test_a_reply_to_an_older_message_than_the_last_is_refused_with_the_newer_one(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    member, first, second = members.new(), members.staff(), members.staff()
    ticket_id = tickets.new(member.id)
    seen = reply(functions, member, ticket_id, after=0).json["id"]
    answered = reply(functions, first, ticket_id, message="We look into it.", after=seen).json["id"]
    note = reply(functions, first, ticket_id, message="A note", internal=True, after=answered).json["id"]
    moved = reply(functions, second, ticket_id, after=seen)
    assert (moved.status, moved.json["code"]) == (409, "ticket_moved")
    assert moved.json["newer_message"] == {
        "id": answered,
        "is_staff_reply": True,
        "message": "We look into it.",
        "created_at": "2026-05-01T12:00:00Z",
    }
    assert reply(functions, second, ticket_id, after=answered).json["newer_message"]["id"] == note
    assert reply(functions, member, ticket_id, after=answered).status == 201, "a member does not see notes"
    assert len(tickets.messages(ticket_id)) == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("message", ""),
        ("message", " \n"),
        ("message", "x" * 10_001),
        ("message", "a\x00b"),
        ("message", "a\ud800"),
        ("message", None),
        ("message", ["a"]),
        ("internal", "true"),
        ("internal", 1),
        ("internal", None),
        ("after", -1),
        ("after", "1"),
        ("after", 1.0),
        ("after", True),
        ("after", 2**31),
        ("is_staff_reply", True),
        ("user_id", 1),
    ],
)
def test_an_invalid_field_is_named_and_nothing_is_written(
    members: Members, functions: Functions, tickets: Tickets, field: str, value: Any
) -> None:
    member = members.new()
    ticket_id = tickets.new(member.id)
    refused = reply(functions, member, ticket_id, **{field: value})
    assert refused.status == 422
    assert [error["pointer"] for error in refused.json["errors"]] == [f"/{field}"]
    assert tickets.messages(ticket_id) == []


def test_the_ticket_of_another_member_and_an_absent_one_are_not_found(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    theirs = tickets.new(members.new().id)
    for ticket_id in (theirs, 2**31 - 1, 0, "x"):
        refused = reply(functions, members.new(), ticket_id, internal=True)
        assert (refused.status, refused.json["code"]) == (404, "not_found")
    assert tickets.messages(theirs) == []


def test_a_suspended_member_an_ended_session_and_nobody_are_refused(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    assert reply(functions, None, 1).status == 401
    suspended, gone = members.new(suspended_at=NOON), members.new()
    members.end_session(gone)
    for member, expected in ((suspended, (403, "account_suspended")), (gone, (401, "unauthenticated"))):
        ticket_id = tickets.new(member.id)
        refused = reply(functions, member, ticket_id)
        assert (refused.status, refused.json["code"]) == expected
        assert tickets.messages(ticket_id) == []


def test_the_same_key_writes_one_message(members: Members, functions: Functions, tickets: Tickets) -> None:
    member = members.new()
    ticket_id = tickets.new(member.id)
    answers = [
        functions.call(
            "reply_ticket",
            by=member,
            path=f"/v1/tickets/{ticket_id}/messages",
            body={"message": "Hello?"},
            headers={"idempotency-key": "k"},
        )
        for _ in range(2)
    ]
    assert answers[0].text == answers[1].text
    assert len(tickets.messages(ticket_id)) == 1


def test_messages_of_the_legacy_application_move_the_clock_and_never_fail(
    members: Members, tickets: Tickets, database: sa.Engine
) -> None:
    member, staff = members.new(), members.staff()
    ticket_id = tickets.new(member.id, created_at=NOON - DAY)
    assert tickets.row(ticket_id).waiting_since == NOON - DAY
    tickets.write(ticket_id, user_id=staff.id, is_staff_reply=True, created_at=NOON)
    assert (tickets.row(ticket_id).waiting_since, tickets.row(ticket_id).staff_replied_at) == (None, NOON)
    with database.connect() as connection:
        insert = "INSERT INTO ticket_messages (ticket_id, message, created_at) VALUES (:id, 'x', 'infinity')"
        connection.execute(sa.text(insert), {"id": ticket_id})
        close = "UPDATE support_tickets SET status = 'closed' WHERE id = :id"
        connection.execute(sa.text(close), {"id": ticket_id})
    assert (tickets.row(ticket_id).waiting_since, tickets.row(ticket_id).staff_replied_at) == (None, NOON)
    assert tickets.row(ticket_id).closed_at is not None

"""PATCH /v1/admin/tickets/{id}: staff set the status, the priority or the assignee."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from goatedvips.models.operations import audit_log
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.tickets import Tickets

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TIMES = (NOON + minute * timedelta(minutes=1) for minute in itertools.count())


def triage(functions: Functions, by: Member | None, ticket_id: object, **fields: object) -> Answer:
    path = f"/v1/admin/tickets/{ticket_id}"
    return functions.call("triage_ticket", by=by, path=path, body=fields, now=next(TIMES))


def test_staff_change_a_ticket_and_the_audit_log_has_what_changed(
    members: Members, functions: Functions, tickets: Tickets, database: sa.Engine
) -> None:
    member, staff = members.new(), members.staff()
    ticket_id = tickets.new(member.id, created_at=NOON - DAY, updated_at=NOON - DAY)
    answer = triage(functions, staff, ticket_id, priority="high", assignee_id=staff.id)
    assert answer.status == 200
    assert answer.json == {
        "id": ticket_id,
        "user_id": member.id,
        "username": member.username,
        "subject": "Help",
        "description": "Please.",
        "status": "open",
        "priority": "high",
        "created_at": "2026-04-30T12:00:00Z",
        "updated_at": "2026-05-01T12:00:00Z",
        "assignee_id": staff.id,
        "assignee": staff.username,
        "waiting_since": "2026-04-30T12:00:00Z",
    }
    entry = sa.select(audit_log).where(audit_log.c.action == "triage_ticket", audit_log.c.subject_id == ticket_id)
    with database.connect() as connection:
        (row,) = connection.execute(entry).all()
    assert (row.staff_id, row.before, row.after) == (
        staff.id,
        {"priority": "medium", "assignee_id": None},
        {"priority": "high", "assignee_id": staff.id},
    )
    assert triage(functions, staff, ticket_id, priority="high").json == answer.json
    assert triage(functions, staff, ticket_id).json == answer.json
    with database.connect() as connection:
        assert len(connection.execute(entry).all()) == 1, "no change, no entry"


def test_the_owner_sees_neither_the_assignee_nor_when_it_changes(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    member, staff = members.new(), members.staff()
    ticket_id = tickets.new(member.id)

    def seen() -> str:
        return functions.call("get_ticket", by=member, path=f"/v1/tickets/{ticket_id}").text

    before = seen()
    assert triage(functions, staff, ticket_id, assignee_id=staff.id).json["assignee_id"] == staff.id
    assert seen() == before
    assert triage(functions, staff, ticket_id, assignee_id=None).json["assignee"] is None
    assert seen() == before


def test_a_reopened_ticket_waits_from_then_on_unless_staff_wrote_last(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    member, staff = members.new(), members.staff()
    waiting, answered = tickets.new(member.id), tickets.new(member.id)
    tickets.write(answered, user_id=staff.id, is_staff_reply=True)
    for ticket_id in (waiting, answered):
        closed = triage(functions, staff, ticket_id, status="closed").json
        assert (closed["status"], closed["waiting_since"]) == ("closed", None)
        reopened = triage(functions, staff, ticket_id, status="open").json
        since = reopened["updated_at"] if ticket_id == waiting else None
        assert (reopened["status"], reopened["waiting_since"]) == ("open", since)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "done"),
        ("status", "OPEN"),
        ("priority", "urgent"),
        ("priority", 1),
        ("assignee_id", "1"),
        ("assignee_id", 0),
        ("assignee_id", True),
        ("assignee_id", 2**31),
        ("subject", "New"),
        ("waiting_since", None),
    ],
)
def test_an_invalid_field_is_named_and_nothing_changes(
    members: Members, functions: Functions, tickets: Tickets, field: str, value: object
) -> None:
    ticket_id = tickets.new(members.new().id)
    before = tickets.row(ticket_id)
    refused = triage(functions, members.staff(), ticket_id, **{field: value})
    assert refused.status == 422
    assert [error["pointer"] for error in refused.json["errors"]] == [f"/{field}"]
    assert tickets.row(ticket_id) == before


def test_only_staff_who_are_not_suspended_are_assigned(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    ticket_id = tickets.new(members.new().id)
    before = tickets.row(ticket_id)
    for assignee in (members.new().id, members.staff(suspended_at=NOON).id, 2**31 - 1):
        refused = triage(functions, members.staff(), ticket_id, assignee_id=assignee, priority="high")
        assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/assignee_id")
        assert tickets.row(ticket_id) == before


def test_an_absent_ticket_is_not_found(members: Members, functions: Functions) -> None:
    for ticket_id in (2**31 - 1, 0, "x"):
        refused = triage(functions, members.staff(), ticket_id, priority="high")
        assert (refused.status, refused.json["code"]) == (404, "not_found")


def test_the_owner_and_nobody_are_refused(members: Members, functions: Functions, tickets: Tickets) -> None:
    member = members.new()
    ticket_id = tickets.new(member.id)
    assert triage(functions, member, ticket_id, priority="high").status == 403
    assert triage(functions, None, ticket_id, priority="high").status == 401
    assert tickets.row(ticket_id).priority == "medium"

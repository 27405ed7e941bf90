"""GET /v1/admin/tickets: staff list tickets, the longest wait first, and search them."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from goatedvips.models.tickets import support_tickets, ticket_messages
from tests.support.functions import Functions
from tests.support.members import Member, Members
from tests.support.tickets import Tickets

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _no_other_tickets(database: sa.Engine) -> None:
    with database.connect() as connection:
        connection.execute(sa.delete(ticket_messages))
        connection.execute(sa.delete(support_tickets))


def listed(functions: Functions, by: Member, **query: str) -> list[int]:
    answer = functions.call("list_ticket_queue", by=by, query=query)
    assert answer.status == 200, answer.text
    return [item["id"] for item in answer.json["items"]]


def test_the_longest_wait_comes_first_and_then_tickets_that_staff_answered(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    member, staff = members.new(), members.staff()
    answered = tickets.new(member.id, created_at=NOON - 9 * HOUR)
    tickets.write(answered, user_id=staff.id, is_staff_reply=True, created_at=NOON)
    newer, older = (tickets.new(member.id, created_at=NOON - hours * HOUR) for hours in (1, 2))
    closed = tickets.new(member.id, status="closed")
    tickets.write(newer, user_id=staff.id, is_internal=True, is_staff_reply=True)
    assert listed(functions, staff) == [older, newer, answered]
    item = functions.call("list_ticket_queue", by=staff, query={}).json["items"][0]
    assert (item["username"], item["waiting_since"], item["assignee"]) == (
        member.username,
        "2026-05-01T10:00:00Z",
        None,
    )
    assert listed(functions, staff, status="closed") == [closed]
    tickets.write(answered, user_id=member.id, created_at=NOON)
    assert listed(functions, staff) == [older, newer, answered]


def test_filters_find_tickets_by_status_priority_and_assignee(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    member, staff = members.new(), members.staff()
    plain = tickets.new(member.id)
    urgent = tickets.new(member.id, priority="high", status="in_progress")
    assigned = tickets.new(member.id, assignee_id=staff.id)
    for query, expected in (
        ({"status": "open"}, [plain, assigned]),
        ({"status": "in_progress"}, [urgent]),
        ({"priority": "high"}, [urgent]),
        ({"priority": "low"}, []),
        ({"assignee": str(staff.id)}, [assigned]),
        ({"assignee": "none"}, [plain, urgent]),
        ({"assignee": "none", "priority": "medium", "status": "open"}, [plain]),
    ):
        assert sorted(listed(functions, staff, **query)) == expected, query


def test_a_search_finds_words_of_tickets_messages_and_notes_and_the_owner(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    member, staff = members.new(), members.staff()
    other = members.new()
    subject = tickets.new(other.id, subject="My ZEBRA prize")
    closed = tickets.new(other.id, description="Where is the zebra?", status="closed")
    message, note = tickets.new(other.id), tickets.new(member.id)
    tickets.write(message, message="zebra, please")
    tickets.write(note, message="No zebra for them", is_internal=True)
    assert sorted(listed(functions, staff, q="zebra")) == [subject, closed, message, note]
    assert listed(functions, staff, q="zebra", status="closed") == [closed]
    assert listed(functions, staff, q="zebra prize") == [subject]
    assert listed(functions, staff, q='"prize zebra"') == []
    assert listed(functions, staff, q=member.username.upper()) == [note]
    for odd in ("'", "!!&|:*", "a\\", "%", '"', "-", "("):
        assert listed(functions, staff, q=odd) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "done"),
        ("status", ""),
        ("priority", "urgent"),
        ("assignee", "0"),
        ("assignee", "1.0"),
        ("assignee", "me"),
        ("assignee", "2147483648"),
        ("q", ""),
        ("q", "x" * 201),
        ("limit", "101"),
        ("cursor", "x"),
    ],
)
def test_an_invalid_parameter_is_named(members: Members, functions: Functions, field: str, value: str) -> None:
    refused = functions.call("list_ticket_queue", by=members.staff(), query={field: value})
    assert refused.status == 422
    assert [error["pointer"] for error in refused.json["errors"]] == [f"/{field}"]


def test_a_member_and_nobody_are_refused(members: Members, functions: Functions) -> None:
    assert functions.call("list_ticket_queue", by=members.new()).status == 403
    assert functions.call("list_ticket_queue").status == 401

"""GET /v1/tickets/{id}: a ticket with its messages, for its owner and for staff."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.tickets import Tickets

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def open_ticket(functions: Functions, by: Member) -> dict[str, Any]:
    made: dict[str, Any] = functions.call("open_ticket", by=by, body={"subject": "S", "description": "D"}).json
    return made


def get(functions: Functions, by: Member | None, ticket_id: object, **query: str) -> Answer:
    return functions.call("get_ticket", by=by, path=f"/v1/tickets/{ticket_id}", query=query)


def test_the_owner_gets_the_ticket_as_open_ticket_answered_it(members: Members, functions: Functions) -> None:
    member = members.new()
    opened = open_ticket(functions, member)
    answer = get(functions, member, opened["id"])
    assert answer.status == 200
    assert answer.json == opened | {"messages": {"items": [], "next_cursor": None}}


def test_the_owner_gets_messages_oldest_first_without_internal_notes_and_staff_names(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    member, staff = members.new(), members.staff()
    opened = open_ticket(functions, member)
    messages: list[dict[str, Any]] = [
        {"user_id": member.id, "message": "Hello?"},
        {"user_id": staff.id, "message": "Do we pay?", "is_staff_reply": True, "is_internal": True},
        {"user_id": staff.id, "message": "Paid.", "is_staff_reply": True, "created_at": NOON - timedelta(days=1)},
        {"user_id": None, "message": "An adopted message without an author"},
    ]
    ids = [tickets.write(opened["id"], **message) for message in messages]
    tickets.write(open_ticket(functions, member)["id"], message="A message on another ticket")
    assert get(functions, member, opened["id"]).json["messages"]["items"] == [
        {
            "id": ids[0],
            "author": member.username,
            "is_staff_reply": False,
            "internal": False,
            "message": "Hello?",
            "created_at": "2026-05-01T12:00:00Z",
        },
        {
            "id": ids[2],
            "author": None,
            "is_staff_reply": True,
            "internal": False,
            "message": "Paid.",
            "created_at": "2026-04-30T12:00:00Z",
        },
        {
            "id": ids[3],
            "author": None,
            "is_staff_reply": False,
            "internal": False,
            "message": "An adopted message without an author",
            "created_at": "2026-05-01T12:00:00Z",
        },
    ]


def test_staff_get_any_ticket_with_internal_notes_and_authors(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    member, staff = members.new(), members.staff()
    opened = open_ticket(functions, member)
    note: dict[str, Any] = {"user_id": staff.id, "message": "Do we pay?", "is_staff_reply": True}
    ids = [tickets.write(opened["id"], **note, is_internal=is_internal) for is_internal in (True, False)]
    answer = get(functions, members.staff(), opened["id"]).json
    assert answer["user_id"] == member.id
    assert [(item["id"], item["author"], item["internal"]) for item in answer["messages"]["items"]] == [
        (ids[0], staff.username, True),
        (ids[1], staff.username, False),
    ]


def test_only_staff_get_an_adopted_ticket_without_an_owner(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    odd = {"subject": "", "description": "", "status": "odd", "priority": "odd"}
    ticket_id = tickets.new(None, **odd)
    assert get(functions, members.new(), ticket_id).status == 404
    answer = get(functions, members.staff(), ticket_id).json
    assert {name: answer[name] for name in odd} == odd


def test_the_ticket_of_another_member_is_not_found(members: Members, functions: Functions) -> None:
    opened = open_ticket(functions, members.new())
    theirs, absent = get(functions, members.new(), opened["id"]), get(functions, members.new(), 2**31 - 1)
    for answer in (theirs, absent):
        assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert theirs.json["detail"] == absent.json["detail"]


def test_a_caller_who_is_no_longer_staff_in_the_database_gets_what_a_member_gets(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    others = open_ticket(functions, members.new())
    demoted, suspended, gone = members.staff(), members.staff(), members.staff()
    own = open_ticket(functions, demoted)
    tickets.write(own["id"], message="a note", is_internal=True)
    assert len(get(functions, demoted, own["id"]).json["messages"]["items"]) == 1
    members.change(demoted, is_admin=False)
    members.change(suspended, suspended_at=NOON)
    members.end_session(gone)
    for caller in (demoted, suspended, gone):
        assert get(functions, caller, others["id"]).status == 404
    assert get(functions, demoted, own["id"]).json["messages"]["items"] == []


@pytest.mark.parametrize("ticket_id", ["0", "-1", "1.0", "1e3", "01", "2147483648", "x", "%00", "٣", "1%20", "null"])
def test_an_id_that_no_ticket_can_have_is_not_found(members: Members, functions: Functions, ticket_id: str) -> None:
    assert get(functions, members.staff(), ticket_id).status == 404


def test_an_anonymous_caller_is_refused(members: Members, functions: Functions) -> None:
    assert get(functions, None, open_ticket(functions, members.new())["id"]).status == 401

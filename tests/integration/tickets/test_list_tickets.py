"""GET /v1/tickets: a member lists their own tickets."""

from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.tickets import Tickets


def test_the_list_has_the_tickets_as_open_ticket_answered_them(members: Members, functions: Functions) -> None:
    member, other = members.new(), members.staff()
    opened = []
    for number in range(3):
        body = {"subject": f"Ticket {number}", "description": "Please."}
        opened.append(functions.call("open_ticket", by=member, body=body).json)
        functions.call("open_ticket", by=other, body=body)
    listed = functions.call("list_tickets", by=member)
    assert (listed.status, listed.json) == (200, {"items": opened[::-1], "next_cursor": None})


def test_the_list_has_no_messages(members: Members, functions: Functions, tickets: Tickets) -> None:
    member = members.new()
    ticket = functions.call("open_ticket", by=member, body={"subject": "S", "description": "D"}).json
    tickets.write(ticket["id"], message="a secret", is_internal=True, is_staff_reply=True)
    answer = functions.call("list_tickets", by=member)
    assert answer.json["items"] == [ticket]
    assert "secret" not in answer.text


def test_an_adopted_ticket_is_answered_unchanged(members: Members, functions: Functions, tickets: Tickets) -> None:
    member = members.new()
    odd = {"subject": "", "description": "", "status": "odd", "priority": "none"}
    tickets.new(member.id, **odd)
    (item,) = functions.call("list_tickets", by=member).json["items"]
    assert {name: item[name] for name in odd} == odd


def test_an_anonymous_caller_is_refused(functions: Functions) -> None:
    assert functions.call("list_tickets").status == 401

"""A member lists their own tickets."""

from datetime import UTC, datetime

import sqlalchemy as sa

from goatedvips.models.tickets import support_tickets, ticket_messages
from tests.support.functions import Functions
from tests.support.members import Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_pages_hold_every_own_ticket_once_newest_first(members: Members, functions: Functions) -> None:
    member, other = members.new(), members.staff()
    made = []
    for count in range(5):
        body = {"subject": f"Ticket {count}", "description": "Please."}
        made.append(functions.call("open_ticket", by=member, body=body, now=NOON).json)
        functions.call("open_ticket", by=other, body=body)
    seen, cursor = [], None
    for size in (2, 2, 1):
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = functions.call("list_tickets", by=member, query=query)
        assert (page.status, len(page.json["items"])) == (200, size)
        seen += page.json["items"]
        cursor = page.json["next_cursor"]
    assert cursor is None
    assert seen == made[::-1]


def test_a_list_has_no_messages_and_nothing_of_staffs(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member = members.new()
    ticket = functions.call("open_ticket", by=member, body={"subject": "S", "description": "D"}).json
    with database.connect() as connection:
        note = {"ticket_id": ticket["id"], "message": "a secret", "is_internal": True, "is_staff_reply": True}
        connection.execute(sa.insert(ticket_messages).values(note))
    answer = functions.call("list_tickets", by=member)
    assert answer.json["items"] == [ticket]
    assert "secret" not in answer.text


def test_an_old_ticket_reads_as_it_is(members: Members, functions: Functions, database: sa.Engine) -> None:
    member = members.new()
    with database.connect() as connection:
        odd = {"user_id": member.id, "subject": "", "description": "", "status": "odd", "priority": "none"}
        connection.execute(sa.insert(support_tickets).values(odd))
    (item,) = functions.call("list_tickets", by=member).json["items"]
    assert {name: item[name] for name in odd} == odd


def test_a_page_that_there_cannot_be_is_refused(members: Members, functions: Functions) -> None:
    for query in (
        {"limit": "0"},
        {"limit": "101"},
        {"cursor": "x"},
        {"cursor": "MSwy"},
        {"cursor": "MTAw!!!!"},
        {"cursor": "MDAwMDE="},
    ):
        assert functions.call("list_tickets", by=members.new(), query=query).status == 422


def test_a_stranger_has_no_list(functions: Functions) -> None:
    assert functions.call("list_tickets").status == 401

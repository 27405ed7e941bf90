"""A ticket is read with its messages, by its owner and by staff."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.tickets import support_tickets, ticket_messages
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def ticket(functions: Functions, by: Member) -> dict[str, Any]:
    made: dict[str, Any] = functions.call("open_ticket", by=by, body={"subject": "S", "description": "D"}).json
    return made


def write(database: sa.Engine, ticket_id: int, *messages: dict[str, Any]) -> list[int]:
    with database.connect() as connection:
        return [
            connection.execute(
                sa.insert(ticket_messages)
                .values({"ticket_id": ticket_id, "message": "Hello", "created_at": NOON} | message)
                .returning(ticket_messages.c.id)
            ).scalar_one()
            for message in messages
        ]


def get(functions: Functions, by: Member | None, ticket_id: object, **query: str) -> Answer:
    return functions.call("get_ticket", by=by, path=f"/v1/tickets/{ticket_id}", query=query)


def test_the_owner_reads_the_ticket_as_opened(members: Members, functions: Functions) -> None:
    member = members.new()
    opened = ticket(functions, member)
    answer = get(functions, member, opened["id"])
    assert answer.status == 200
    assert answer.json == opened | {"messages": {"items": [], "next_cursor": None}}


def test_messages_come_oldest_first_without_what_is_for_staff(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member, staff = members.new(), members.staff()
    opened = ticket(functions, member)
    ids = write(
        database,
        opened["id"],
        {"user_id": member.id, "message": "Hello?"},
        {"user_id": staff.id, "message": "Do we pay?", "is_staff_reply": True, "is_internal": True},
        {"user_id": staff.id, "message": "Paid.", "is_staff_reply": True, "created_at": NOON - timedelta(days=1)},
        {"user_id": None, "message": "Of nobody known"},
    )
    write(database, ticket(functions, member)["id"], {"message": "another ticket's"})
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
            "message": "Of nobody known",
            "created_at": "2026-05-01T12:00:00Z",
        },
    ]


def test_staff_read_any_ticket_with_its_notes_and_authors(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member, staff = members.new(), members.staff()
    opened = ticket(functions, member)
    note = {"user_id": staff.id, "message": "Do we pay?", "is_staff_reply": True}
    ids = write(database, opened["id"], note | {"is_internal": True}, note)
    answer = get(functions, members.staff(), opened["id"]).json
    assert answer["user_id"] == member.id
    assert [(item["id"], item["author"], item["internal"]) for item in answer["messages"]["items"]] == [
        (ids[0], staff.username, True),
        (ids[1], staff.username, False),
    ]


def test_a_ticket_of_nobody_is_staffs_to_read(members: Members, functions: Functions, database: sa.Engine) -> None:
    with database.connect() as connection:
        odd = {"user_id": None, "subject": "", "description": "", "status": "odd", "priority": "odd"}
        adopted = sa.insert(support_tickets).values(odd).returning(support_tickets.c.id)
        ticket_id = connection.execute(adopted).scalar_one()
    assert get(functions, members.new(), ticket_id).status == 404
    answer = get(functions, members.staff(), ticket_id).json
    assert {name: answer[name] for name in odd} == odd


def test_someone_elses_ticket_is_not_there(members: Members, functions: Functions) -> None:
    opened = ticket(functions, members.new())
    theirs, absent = get(functions, members.new(), opened["id"]), get(functions, members.new(), 2**31 - 1)
    for answer in (theirs, absent):
        assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert theirs.json["detail"] == absent.json["detail"]


def test_who_is_no_longer_staff_reads_as_a_member_although_the_authorizer_still_says_staff(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    others = ticket(functions, members.new())
    demoted, suspended, gone = members.staff(), members.staff(), members.staff()
    own = ticket(functions, demoted)
    write(database, own["id"], {"message": "a note", "is_internal": True})
    assert len(get(functions, demoted, own["id"]).json["messages"]["items"]) == 1
    members.change(demoted, is_admin=False)
    members.change(suspended, suspended_at=NOON)
    members.end_session(gone)
    for caller in (demoted, suspended, gone):
        assert get(functions, caller, others["id"]).status == 404
    assert get(functions, demoted, own["id"]).json["messages"]["items"] == []


def test_long_histories_come_in_pages(members: Members, functions: Functions, database: sa.Engine) -> None:
    member = members.new()
    opened = ticket(functions, member)
    ids = write(database, opened["id"], *({"is_internal": count == 1} for count in range(6)))
    seen, cursor = [], None
    for size in (2, 2, 1):
        answer = get(functions, member, opened["id"], limit="2", **({"cursor": cursor} if cursor else {})).json
        assert answer["subject"] == "S"
        assert len(answer["messages"]["items"]) == size
        seen += [message["id"] for message in answer["messages"]["items"]]
        cursor = answer["messages"]["next_cursor"]
    assert cursor is None
    assert seen == [ids[0], *ids[2:]]


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "101"}, {"cursor": "x"}, {"cursor": "MSwy"}, {"cursor": ""}]
)
def test_a_page_that_there_cannot_be_is_refused(members: Members, functions: Functions, query: dict[str, str]) -> None:
    member = members.new()
    assert get(functions, member, ticket(functions, member)["id"], **query).status == 422


@pytest.mark.parametrize("ticket_id", ["0", "-1", "1.0", "1e3", "01", "2147483648", "x", "%00", "٣", "1%20", "null"])
def test_what_is_no_id_names_nothing(members: Members, functions: Functions, ticket_id: str) -> None:
    assert get(functions, members.staff(), ticket_id).status == 404


def test_a_stranger_reads_nothing(members: Members, functions: Functions) -> None:
    assert get(functions, None, ticket(functions, members.new())["id"]).status == 401

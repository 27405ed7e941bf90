"""POST /v1/tickets/{id}/closure: the owner or staff close a ticket."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from goatedvips.models.operations import audit_log
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.tickets import Tickets

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def close(functions: Functions, by: Member | None, ticket_id: object, now: datetime = NOON) -> Answer:
    return functions.call("close_ticket", by=by, path=f"/v1/tickets/{ticket_id}/closure", now=now)


def entries(database: sa.Engine, ticket_id: int) -> list[tuple[object, ...]]:
    columns = (audit_log.c.staff_id, audit_log.c.before, audit_log.c.after)
    rows = sa.select(*columns).where(audit_log.c.action == "close_ticket", audit_log.c.subject_id == ticket_id)
    with database.connect() as connection:
        return [tuple(row) for row in connection.execute(rows).all()]


def test_the_owner_closes_a_ticket_and_again_nothing_changes(
    members: Members, functions: Functions, tickets: Tickets, database: sa.Engine
) -> None:
    member = members.new()
    ticket_id = tickets.new(member.id, created_at=NOON - DAY)
    closed = close(functions, member, ticket_id)
    assert (closed.status, closed.json["status"], closed.json["updated_at"]) == (200, "closed", "2026-05-01T12:00:00Z")
    assert functions.call("list_tickets", by=member).json["items"] == [closed.json]
    row = tickets.row(ticket_id)
    assert (row.waiting_since, row.closed_at) == (None, NOON)
    again = close(functions, member, ticket_id, NOON + DAY)
    assert (again.status, again.json) == (200, closed.json)
    assert tickets.row(ticket_id) == row
    assert entries(database, ticket_id) == []


def test_staff_close_any_ticket_and_the_audit_log_has_it(
    members: Members, functions: Functions, tickets: Tickets, database: sa.Engine
) -> None:
    staff = members.staff()
    for owner in (members.new().id, None):
        ticket_id = tickets.new(owner, status="in_progress")
        assert close(functions, staff, ticket_id).json["status"] == "closed"
        assert entries(database, ticket_id) == [(staff.id, {"status": "in_progress"}, {"status": "closed"})]
        close(functions, staff, ticket_id)
        assert len(entries(database, ticket_id)) == 1


def test_the_ticket_of_another_member_and_an_absent_one_are_not_found(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    theirs = tickets.new(members.new().id)
    for ticket_id in (theirs, 2**31 - 1, 0, "x"):
        refused = close(functions, members.new(), ticket_id)
        assert (refused.status, refused.json["code"]) == (404, "not_found")
    assert tickets.row(theirs).status == "open"


def test_a_suspended_member_an_ended_session_and_nobody_are_refused(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    assert close(functions, None, 1).status == 401
    suspended, gone = members.new(suspended_at=NOON), members.new()
    members.end_session(gone)
    for member, expected in ((suspended, (403, "account_suspended")), (gone, (401, "unauthenticated"))):
        ticket_id = tickets.new(member.id)
        refused = close(functions, member, ticket_id)
        assert (refused.status, refused.json["code"]) == expected
        assert tickets.row(ticket_id).status == "open"

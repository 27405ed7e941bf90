"""Every day: tickets whose member has not written for 7 days after the last staff reply are closed."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from goatedvips.domain.tickets import stale
from goatedvips.models.tickets import support_tickets, ticket_messages
from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.tickets import Tickets

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)
EVENT = {"scheduled_time": "2026-05-01T12:00:00Z"}


@pytest.fixture(autouse=True)
def _no_other_tickets(database: sa.Engine) -> None:
    with database.connect() as connection:
        connection.execute(sa.delete(ticket_messages))
        connection.execute(sa.delete(support_tickets))


def test_only_tickets_that_wait_for_their_member_for_7_days_are_closed(
    members: Members, functions: Functions, tickets: Tickets
) -> None:
    member, staff = members.new(), members.staff()
    due, early, member_last, unanswered, noted = (tickets.new(member.id, created_at=NOON - 30 * DAY) for _ in range(5))
    for ticket_id, at in ((due, 7 * DAY), (early, 7 * DAY - MOMENT), (member_last, 9 * DAY), (noted, 7 * DAY)):
        tickets.write(ticket_id, user_id=staff.id, is_staff_reply=True, created_at=NOON - at)
    tickets.write(member_last, user_id=member.id, created_at=NOON - 8 * DAY)
    tickets.write(noted, user_id=staff.id, is_staff_reply=True, is_internal=True, created_at=NOON)
    path = f"/v1/admin/tickets/{noted}"
    functions.call("triage_ticket", by=staff, path=path, body={"priority": "high", "assignee_id": staff.id}, now=NOON)
    assert functions.invoke("close_stale_tickets", EVENT, now=NOON) == {"closed": 2}
    statuses = {tickets.row(ticket_id).status for ticket_id in (early, member_last, unanswered)}
    assert (tickets.row(due).status, tickets.row(noted).status, statuses) == ("closed", "closed", {"open"})
    note = tickets.messages(due)[-1]
    assert (note.message, note.user_id, note.is_staff_reply, note.is_internal) == (stale.NOTE, None, True, False)
    assert functions.invoke("close_stale_tickets", EVENT, now=NOON) == {"closed": 0}
    answer = functions.call(
        "reply_ticket", by=member, path=f"/v1/tickets/{due}/messages", body={"message": "No!"}, now=NOON
    )
    assert (answer.status, tickets.row(due).status) == (201, "open")


def test_more_tickets_than_a_batch_are_closed_in_one_run(
    members: Members, functions: Functions, tickets: Tickets, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = members.new()
    count = stale.BATCH + 1
    with tickets.database.connect() as connection:
        fields = {"user_id": member.id, "subject": "S", "description": "D"}
        made = sa.insert(support_tickets).returning(support_tickets.c.id)
        ids = connection.scalars(made, [fields] * count).all()
        reply = {"message": "Done.", "is_staff_reply": True, "created_at": NOON - 8 * DAY}
        connection.execute(sa.insert(ticket_messages).values([reply | {"ticket_id": ticket_id} for ticket_id in ids]))
    assert functions.invoke("close_stale_tickets", EVENT, now=NOON) == {"closed": count}

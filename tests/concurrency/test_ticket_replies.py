"""Two of the staff who answer the same message at once: one reply is written, the other author gets it."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import sqlalchemy as sa

from goatedvips.domain.access import Caller
from goatedvips.domain.tickets import changes, messages
from goatedvips.domain.tickets.tickets import Message, Ticket
from goatedvips.errors import TicketMoved
from goatedvips.models.tickets import support_tickets
from tests.concurrency.together import at_once_behind
from tests.support.members import Member, Members
from tests.support.tickets import Tickets

NOW = datetime.now(UTC)


def caller_of(member: Member) -> Caller:
    return Caller(member.id, member.session_id, "test")


def test_of_replies_that_saw_the_same_last_message_one_is_written(
    patient: str, members: Members, database: sa.Engine, tickets: Tickets
) -> None:
    ticket_id = tickets.new(members.new().id)
    seen = tickets.write(ticket_id)
    works = [
        partial(
            messages.reply,
            caller=caller_of(members.staff()),
            ticket_id=ticket_id,
            message=f"Answer {number}",
            internal=False,
            after=seen,
            now=NOW,
        )
        for number in range(8)
    ]
    row = sa.select(support_tickets).where(support_tickets.c.id == ticket_id)
    results = at_once_behind(database, row, patient, works)
    assert Counter(type(result) for result in results) == {Message: 1, TicketMoved: 7}, results
    written = next(result for result in results if isinstance(result, Message))
    for refused in results:
        if isinstance(refused, TicketMoved):
            assert refused.newer_message["id"] == written.id
    assert [message.id for message in tickets.messages(ticket_id)] == [seen, written.id]


def test_a_reply_and_a_closure_at_once_leave_the_ticket_as_one_after_the_other_would(
    patient: str, members: Members, database: sa.Engine, tickets: Tickets
) -> None:
    member = members.new()
    ticket_id = tickets.new(member.id)
    works: list[Callable[[sa.Connection], Message | Ticket]] = [
        partial(
            messages.reply,
            caller=caller_of(member),
            ticket_id=ticket_id,
            message="Hello?",
            internal=False,
            after=None,
            now=NOW,
        ),
        partial(changes.close, caller=caller_of(members.staff()), ticket_id=ticket_id, now=NOW),
    ]
    row = sa.select(support_tickets).where(support_tickets.c.id == ticket_id)
    results = at_once_behind(database, row, patient, works)
    assert {type(result) for result in results} == {Message, Ticket}, results
    ticket = tickets.row(ticket_id)
    # The reply came last and opened it again, or the closure came last.
    assert (ticket.status, ticket.waiting_since is None) in {("open", False), ("closed", True)}

"""The staff's mail about new tickets."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from goatedvips.clients import ses
from goatedvips.domain.notifications import sending, ticket_mail
from goatedvips.domain.notifications.deciding import Defer
from goatedvips.domain.notifications.sending import CLOCK_SKEW
from goatedvips.domain.notifications.ticket_mail import INTERVAL
from goatedvips.models.notifications import outbox, sender_state
from tests.integration.notifications.conftest import MOMENT, NONE, NOON, Message, Send, put, row, ticket
from tests.support.members import Members
from tests.support.tickets import Tickets


def test_it_has_the_ticket_its_member_a_link_and_an_address_for_replies(
    database: sa.Engine, members: Members, send: Send, messages: list[Message]
) -> None:
    member = members.new(seeds=False)
    ticket_id, _ = ticket(database, member, "Hi\r\nBcc: everyone@example.com <script>")
    assert send() == NONE | {"sent": 1}
    ((to, subject, text, html, reply_to),) = messages
    assert to == "staff@goatedvips.example"
    assert subject == f"Ticket #{ticket_id}: Hi Bcc: everyone@example.com <script>"
    assert text.startswith(f"{member.username} (member {member.id}) opened a ticket of medium priority.\n\n")
    assert f"http://127.0.0.1:3000/v1/tickets/{ticket_id}" in text.split("\n")
    assert "Bcc" not in text, "the subject stands once"
    assert "<b>Help</b>" in text
    assert "&lt;b&gt;Help&lt;/b&gt;" in html
    assert "<script>" not in html
    assert reply_to == member.email


def test_no_reply_goes_to_an_unproved_missing_or_unreachable_address(
    database: sa.Engine, members: Members, send: Send, messages: list[Message]
) -> None:
    unproved = members.new(seeds=False, email_verified=False)
    unreachable = [members.new(seeds=False, email=email) for email in ("a goat@example.com", "goät@example.com")]
    for minute, member in enumerate((unproved, None, *unreachable)):
        ticket(database, member)
        assert send(NOON + minute * INTERVAL)["sent"] == 1
    assert [reply_to for *_, reply_to in messages] == [None] * 4


def test_many_tickets_make_one_mail_a_minute_with_a_count(
    database: sa.Engine, members: Members, send: Send, messages: list[Message]
) -> None:
    member = members.new(seeds=False)
    rows = [ticket(database, member, f"Question {number}") for number in range(300)]
    assert send() == NONE | {"sent": 1, "dropped": 13}, "the rest of the batch was joined to the first"
    ((_, subject, text, *_),) = messages
    assert subject == "300 new tickets"
    assert f"#{rows[0][0]} (medium priority, from {member.username} (member {member.id})): Question 0" in text
    assert "And 280 more." in text
    first, *others = (row(database, mail_id) for _, mail_id in rows)
    assert first.sent_at == NOON
    assert {(other.dropped_at, other.dropped_reason) for other in others} == {(NOON, "joined")}
    late = [ticket(database, member, f"Late {number}", due_at=NOON + timedelta(seconds=5)) for number in range(3)]
    assert send(NOON + INTERVAL - MOMENT - timedelta(seconds=50))["deferred"] == 3
    assert {row(database, mail_id).due_at for _, mail_id in late} == {NOON + INTERVAL}
    assert {row(database, mail_id).attempts for _, mail_id in late} == {0}
    assert send(NOON + INTERVAL)["sent"] == 1
    assert messages[-1][1] == "3 new tickets"


def test_a_failed_mail_reports_all_its_tickets_again(
    database: sa.Engine, members: Members, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [ticket(database, members.new(seeds=False)) for _ in range(3)]
    subjects: list[str] = []

    def fail_once(*message: str | None, **_: object) -> str:
        subjects.append(str(message[1]))
        if len(subjects) == 1:
            raise ses.Refused("ConflictException")
        return "message"

    monkeypatch.setattr(ses, "send", fail_once)
    assert send()["retried"] == 1
    again = ticket(database, members.new(seeds=False))
    now = row(database, rows[0][1]).due_at
    assert send(now)["sent"] == 1
    assert subjects == ["3 new tickets", "4 new tickets"]
    mails = [row(database, mail_id) for _, mail_id in [*rows, again]]
    assert (
        sorted((mail.sent_at is None, mail.dropped_reason) for mail in mails)
        == [(False, None)] + [(True, "joined")] * 3
    )


def test_of_two_runs_at_once_one_has_the_turn(database: sa.Engine, members: Members) -> None:
    for _ in range(2):
        ticket(database, members.new(seeds=False))
    with database.connect() as connection:
        one, two = sending.lease(connection, 2, rate=14, now=NOON)
    engine = sa.create_engine(database.url)
    with engine.begin() as first:
        found = ticket_mail.collect(first, one, now=NOON)
        assert isinstance(found, list)
        assert len(found) == 2
    with engine.begin() as second:
        assert ticket_mail.collect(second, two, now=NOON) == [], "the first one reports it"
    _, mail_id = ticket(database, members.new(seeds=False))
    with engine.begin() as third:
        (leased,) = sending.lease(third, 2, rate=14, now=NOON)
        assert ticket_mail.collect(third, leased, now=NOON) == Defer(NOON + INTERVAL)
    engine.dispose()
    assert row(database, mail_id).dropped_at is None


def test_a_clock_that_was_wrong_holds_no_mail_back(
    database: sa.Engine, members: Members, send: Send, messages: list[Message]
) -> None:
    with database.connect() as connection:
        connection.execute(sa.update(sender_state).values(staff_mailed_at=NOON + CLOCK_SKEW + MOMENT))
    ticket(database, members.new(seeds=False))
    assert send()["sent"] == 1
    with database.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(outbox)) == 1


def test_a_reopened_ticket_is_reported_as_such(
    database: sa.Engine, members: Members, send: Send, messages: list[Message]
) -> None:
    member = members.new(seeds=False)
    ticket_id = Tickets(database).new(member.id, closed_at=NOON)
    put(database, "ticket_opened", payload={"ticket_id": ticket_id})
    assert send()["sent"] == 1
    assert messages[0][2].startswith(f"{member.username} (member {member.id}) reopened a ticket of medium priority.")


def test_the_owner_gets_a_staff_reply_by_mail(
    database: sa.Engine, members: Members, send: Send, messages: list[Message]
) -> None:
    member, tickets = members.new(seeds=False), Tickets(database)
    ticket_id = tickets.new(member.id, subject="Where is my bonus?")
    reply, note = (
        tickets.write(ticket_id, message="<b>Paid</b>.", is_staff_reply=True, is_internal=i) for i in (False, True)
    )
    other = members.new(seeds=False)
    for message_id, address in ((reply, member.email), (note, member.email), (reply, other.email)):
        put(database, "ticket_reply", user_id=member.id, address=address, payload={"message_id": message_id})
    assert send() == NONE | {"sent": 1, "dropped": 2}, "no note, and nothing to an address that is not the owner's"
    ((to, subject, text, html, reply_to),) = messages
    assert (to, subject) == (member.email, f"Answer to your ticket #{ticket_id}: Where is my bonus?")
    assert "<b>Paid</b>." in text
    assert "&lt;b&gt;Paid&lt;/b&gt;." in html
    assert reply_to is None


def test_a_staff_reply_is_not_sent_to_an_address_that_is_no_longer_proved(
    database: sa.Engine, members: Members, send: Send, messages: list[Message]
) -> None:
    member, tickets = members.new(seeds=False, email_verified=False), Tickets(database)
    reply = tickets.write(tickets.new(member.id), is_staff_reply=True)
    put(database, "ticket_reply", user_id=member.id, address=member.email, payload={"message_id": reply})
    assert send() == NONE | {"dropped": 1}
    assert messages == []

"""The texts of mail."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from goatedvips.domain.notifications import mail_texts
from goatedvips.domain.notifications.mail_texts import Message
from goatedvips.domain.notifications.ticket_mail import NewTicket

LINK = "https://vip.example/verify#token=abc&x=<y>"


@pytest.mark.parametrize(
    "text",
    [
        mail_texts.verification,
        mail_texts.password_reset,
        mail_texts.email_change,
        mail_texts.newsletter_confirmation,
    ],
)
def test_both_parts_have_the_link_and_advice_if_it_was_somebody_else(
    text: Callable[[str, str], Message],
) -> None:
    message = text("reader@example.com", LINK)
    assert message.to == "reader@example.com"
    assert LINK in message.text.split("\n")
    assert f'href="{LINK.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}"' in message.html
    assert "ignore this mail" in message.text
    assert "ignore this mail" in message.html


def new_ticket(number: int = 7, **columns: str | None) -> NewTicket:
    ticket = NewTicket(
        id=number,
        subject="Help",
        priority="high",
        description="Please",
        user_id=1,
        username="ann",
        email="ann@example.com",
    )
    return replace(ticket, **columns)  # type: ignore[arg-type]


def test_a_member_s_words_stay_text() -> None:
    ticket = new_ticket(
        subject="a\u2028b\r\n\tc\x1b[31m\u202e",
        description='line 1\nline 2 <a href="https://evil.example">click</a> {curly}',
        username=None,
    )
    message = mail_texts.tickets_opened("staff@example.com", [ticket], "https://vip.example/admin/tickets")
    assert message.subject == "Ticket #7: a b c [31m"
    assert message.text.startswith("A former member opened a ticket of high priority.\n\n")
    assert message.html.count("<a ") == 1, "the link to the ticket"
    assert "line 1\nline 2 &lt;a href=&quot;https://evil.example&quot;&gt;click" in message.html
    assert "{curly}" in message.html


def test_several_tickets_are_one_line_each() -> None:
    tickets = [new_ticket(number, subject=f"a\n#{number}0 (high priority") for number in range(1, 23)]
    message = mail_texts.tickets_opened("staff@example.com", tickets, "https://vip.example/admin/tickets")
    assert message.subject == "22 new tickets"
    assert "https://vip.example/admin/tickets" in message.text.split("\n")
    listed = [line for line in message.text.split("\n") if line.startswith("#")]
    assert listed[0] == "#1 (high priority, from ann (member 1)): a #10 (high priority"
    assert len(listed) == 20
    assert message.text.endswith("\nAnd 2 more.\n")
    assert message.reply_to is None


def test_replies_go_to_the_member_if_their_address_is_known() -> None:
    for email in ("ann@example.com", None):
        message = mail_texts.tickets_opened("staff@example.com", [new_ticket(email=email)], "https://vip.example")
        assert message.reply_to == email


def test_the_mail_to_the_previous_address_does_not_name_the_new_one() -> None:
    message = mail_texts.email_changed("old@example.com")
    assert message.to == "old@example.com"
    assert "another e-mail address" in message.text
    assert "If it was not you" in message.text
    assert "href" not in message.html


def test_a_decision_has_its_reason_if_there_is_one() -> None:
    refused = mail_texts.link_decided("m@example.com", uid="<b>7", decision="refused", reason="No & no.\nReally.")
    assert refused.subject == "Your casino account was not linked"
    assert "the casino account <b>7. We have not linked it." in refused.text
    assert refused.text.endswith("\n\nOur reason: No & no.\nReally.\n")
    assert "&lt;b&gt;7" in refused.html
    assert "No &amp; no." in refused.html
    approved = mail_texts.link_decided("m@example.com", uid="7", decision="approved", reason=None)
    assert approved.subject == "Your casino account is linked"
    assert "reason" not in approved.text

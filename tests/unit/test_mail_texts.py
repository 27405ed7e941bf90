"""What mail says."""

from collections.abc import Callable

import pytest

from goatedvips.domain.notifications import mail_texts
from goatedvips.domain.notifications.mail_texts import Message

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
def test_both_parts_carry_the_link_and_say_what_happens_to_who_did_not_ask(text: Callable[[str, str], Message]) -> None:
    message = text("reader@example.com", LINK)
    assert message.to == "reader@example.com"
    assert LINK in message.text.split("\n")
    assert f'href="{LINK.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}"' in message.html
    assert "ignore this mail" in message.text
    assert "ignore this mail" in message.html


def test_what_a_member_wrote_stays_text() -> None:
    message = mail_texts.ticket_opened(
        "staff@example.com",
        7,
        subject="a\u2028b\r\n\tc\x1b[31m\u202e",
        priority="high",
        description='line 1\nline 2 <a href="https://evil.example">click</a> {curly}',
        username=None,
    )
    assert message.subject == "Ticket #7: a b c [31m"
    assert message.text.startswith("A former member opened a ticket of high priority.\n\n")
    assert "<a" not in message.html
    assert "line 1\nline 2 &lt;a href=&quot;https://evil.example&quot;&gt;click" in message.html
    assert "{curly}" in message.html


def test_the_old_address_is_told_without_the_new_one() -> None:
    message = mail_texts.email_changed("old@example.com")
    assert message.to == "old@example.com"
    assert "another e-mail address" in message.text
    assert "If it was not you" in message.text
    assert "href" not in message.html


def test_a_decision_is_told_with_its_reason_if_there_is_one() -> None:
    refused = mail_texts.link_decided("m@example.com", uid="<b>7", decision="refused", reason="No & no.\nReally.")
    assert refused.subject == "Your casino account was not linked"
    assert "the casino account <b>7. We have not." in refused.text
    assert refused.text.endswith("\n\nOur reason: No & no.\nReally.\n")
    assert "&lt;b&gt;7" in refused.html
    assert "No &amp; no." in refused.html
    approved = mail_texts.link_decided("m@example.com", uid="7", decision="approved", reason=None)
    assert approved.subject == "Your casino account is linked"
    assert "reason" not in approved.text

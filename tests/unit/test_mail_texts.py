"""What mail says."""

from collections.abc import Callable

import pytest

from goatedvips.domain import mail_texts
from goatedvips.domain.mail_texts import Message

LINK = "https://vip.example/verify#token=abc&x=<y>"


@pytest.mark.parametrize("text", [mail_texts.verification, mail_texts.newsletter_confirmation])
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

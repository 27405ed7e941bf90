"""What mail says, by kind. Texts are plain first; the HTML part says the same, with everything in it escaped."""

import html
from dataclasses import dataclass

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{subject}</title></head>
<body style="margin:0;padding:24px;font:16px/1.5 system-ui,sans-serif;color:#16181d;background:#ffffff">
<div style="max-width:32em;margin:0 auto">{content}</div>
</body>
</html>
"""
_BUTTON = (
    '<p><a href="{link}" style="display:inline-block;padding:12px 20px;border-radius:6px;'
    'background:#16181d;color:#d7ff00;font-weight:600;text-decoration:none">{label}</a></p>'
)


@dataclass(frozen=True, slots=True)
class Message:
    """A mail as it is handed over for delivery."""

    to: str
    subject: str
    text: str
    html: str


def verification(to: str, link: str) -> Message:
    """Proof that a member's address is theirs."""
    return _message(
        to,
        "Confirm your e-mail address",
        [
            "Please confirm that this is the e-mail address of your GoatedVIPs account.",
            "The link works once, for 24 hours. If you have no account with us, ignore this mail: nothing happens.",
        ],
        link=link,
        label="Confirm my address",
    )


def password_reset(to: str, link: str) -> Message:
    """The way back in for who has forgotten their password."""
    return _message(
        to,
        "Set a new password",
        [
            "Somebody, we hope you, asked to set a new password for the GoatedVIPs account with this e-mail address.",
            "The link works once, for an hour. If it was not you, ignore this mail: your password stays as it is.",
        ],
        link=link,
        label="Set a new password",
    )


def email_change(to: str, link: str) -> Message:
    """Proof that the address which a member wishes to have is theirs."""
    return _message(
        to,
        "Confirm your new e-mail address",
        [
            "Please confirm that this is to be the e-mail address of your GoatedVIPs account.",
            "The link works once, for 24 hours. If you have not asked for this, ignore this mail: nothing happens.",
        ],
        link=link,
        label="Use this address",
    )


def email_changed(to: str) -> Message:
    """News for the address that a member had before: of who takes an account over, it is the only trace."""
    return _message(
        to,
        "Your e-mail address was changed",
        [
            "Your GoatedVIPs account has another e-mail address now. We write to that one from now on.",
            "If it was not you, write to our support at once: somebody else knows your password.",
        ],
    )


def newsletter_confirmation(to: str, link: str) -> Message:
    """The second half of the double opt-in."""
    return _message(
        to,
        "Confirm your newsletter subscription",
        [
            "Somebody, we hope you, asked for the GoatedVIPs newsletter to be sent to this address.",
            "The link works once, for 24 hours. If it was not you, ignore this mail: you will not be subscribed.",
        ],
        link=link,
        label="Subscribe me",
    )


def link_decided(to: str, *, uid: str, decision: str, reason: str | None) -> Message:
    """What has become of a member's request to link their casino account."""
    approved = decision == "approved"
    subject = "Your casino account is linked" if approved else "Your casino account was not linked"
    said = f"You asked us to link the casino account {uid}. "
    said += "We have: it is yours here from now on." if approved else "We have not. You can ask again at any time."
    return _message(to, subject, [said, *([f"Our reason: {reason}"] if reason else [])])


def ticket_opened(
    to: str, ticket_id: int, *, subject: str, priority: str, description: str, username: str | None
) -> Message:
    """News for the staff."""
    return _message(
        to,
        f"Ticket #{ticket_id}: {subject}",
        [f"{username or 'A former member'} opened a ticket of {priority} priority.", subject, description],
    )


def _message(to: str, subject: str, paragraphs: list[str], *, link: str = "", label: str = "") -> Message:
    """Lay out a message; the link follows its first paragraph."""
    subject = _line(subject)
    parts = [f'<p style="white-space:pre-line">{html.escape(paragraph)}</p>' for paragraph in paragraphs]
    lines = list(paragraphs)
    if link:
        parts.insert(1, _BUTTON.format(link=html.escape(link), label=html.escape(label)))
        lines.insert(1, link)
    content = _PAGE.format(subject=html.escape(subject), content="\n".join(parts))
    return Message(to, subject, "\n\n".join(lines) + "\n", content)


def _line(text: str) -> str:
    """One line of a header, whatever a member wrote: nothing in it can begin another."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())

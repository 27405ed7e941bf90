"""The texts of mail, one function a kind. The plain text and the HTML part say the same; the HTML part is escaped."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from goatedvips.domain.notifications.notices.texts import Notice, one_line
from goatedvips.domain.notifications.ticket_mail import NewTicket

_MOST_LISTED = 20  # tickets that one mail lists

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
    """A message that is ready to be sent."""

    to: str
    """The recipient's e-mail address."""
    subject: str
    text: str
    html: str
    reply_to: str | None = None
    """The e-mail address that an answer goes to, if it is not the sender's."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further header fields."""


def verification(to: str, link: str) -> Message:
    """Ask a new member to prove that the e-mail address is theirs."""
    return _message(
        to,
        "Confirm your e-mail address",
        [
            "Please confirm that this is the e-mail address of your GoatedVIPs account.",
            "The link works once, for 24 hours. If you have no account with us, please ignore this mail.",
        ],
        link=link,
        label="Confirm my address",
    )


def password_reset(to: str, link: str) -> Message:
    """Let a member who forgot the password set a new one."""
    return _message(
        to,
        "Set a new password",
        [
            "Somebody asked to set a new password for the GoatedVIPs account with this e-mail address.",
            "The link works once, for one hour. If it was not you, please ignore this mail and keep your password.",
        ],
        link=link,
        label="Set a new password",
    )


def email_change(to: str, link: str) -> Message:
    """Ask a member to prove that the new e-mail address is theirs."""
    return _message(
        to,
        "Confirm your new e-mail address",
        [
            "Please confirm that you want to use this e-mail address for your GoatedVIPs account.",
            "The link works once, for 24 hours. If you did not ask for this, please ignore this mail.",
        ],
        link=link,
        label="Use this address",
    )


def email_changed(to: str) -> Message:
    """Tell the previous e-mail address of a change: the only sign of a stolen account that its owner gets."""
    return _message(
        to,
        "Your e-mail address was changed",
        [
            "Your GoatedVIPs account now has another e-mail address. From now on we write to that one.",
            "If it was not you, please contact our support at once: somebody else knows your password.",
        ],
    )


def newsletter_confirmation(to: str, link: str) -> Message:
    """Ask for the confirmation of a newsletter subscription (double opt-in)."""
    return _message(
        to,
        "Confirm your newsletter subscription",
        [
            "Somebody asked us to send the GoatedVIPs newsletter to this e-mail address.",
            "The link works once, for 24 hours. If it was not you, please ignore this mail. You will get no other.",
        ],
        link=link,
        label="Subscribe me",
    )


def link_decided(to: str, *, uid: str, decision: str, reason: str | None) -> Message:
    """Tell a member the decision about their request to link a casino account."""
    if decision == "approved":
        subject = "Your casino account is linked"
        text = f"You asked us to link the casino account {uid}. It is now linked to your GoatedVIPs account."
    else:
        subject = "Your casino account was not linked"
        text = f"You asked us to link the casino account {uid}. We have not linked it. You can ask again at any time."
    return _message(to, subject, [text, *([f"Our reason: {reason}"] if reason else [])])


def link_ended(to: str, *, uid: str, reason: str) -> Message:
    """Tell a member that staff ended the link to their casino account."""
    text = f"The casino account {uid} is no longer linked to your GoatedVIPs account. You can ask for a link again."
    return _message(to, "Your casino account is no longer linked", [text, f"Our reason: {reason}"])


def race_result(to: str, *, title: str, rank: int | None, total_wager: Decimal, prize: Decimal | None) -> Message:
    """Tell a participant how a race ended for them.

    Parameters
    ----------
    rank: None: they are not ranked.
    total_wager: US dollars that they wagered within the race.
    prize: US dollars that they won; None: nothing.
    """
    result = f"You wagered ${total_wager:,.2f} in it"
    placed = f"{result} and finished at rank {rank:,}." if rank else f"{result}. That was not enough for a rank."
    won = f"You won ${prize:,.2f}. The prize is in your rewards." if prize else "This time there is no prize for you."
    return _message(to, f"The result of {title}", [f"The race {one_line(title)} is over.", placed, won])


def ticket_reply(to: str, *, ticket_id: int, subject: str, message: str) -> Message:
    """Tell a member what staff answered on their ticket."""
    introduction = f"We have answered your ticket #{ticket_id}, {one_line(subject)}. Please reply on the ticket itself."
    return _message(to, f"Answer to your ticket #{ticket_id}: {subject}", [introduction, message])


def notice(to: str, described: Notice) -> Message:
    """Mail what the inbox says."""
    return _message(to, described.title, [described.body])


def tickets_opened(to: str, tickets: Sequence[NewTicket], url: str) -> Message:
    """Tell staff of new and reopened tickets: of one in full, of several in a list.

    Parameters
    ----------
    tickets: at least one.
    url: the staff's list of tickets; with `/` and an id behind it, a ticket.
    """
    if len(tickets) > 1:
        listed = [
            f"#{ticket.id} ({ticket.priority} priority, from {_author(ticket)}): {one_line(ticket.subject)}"
            for ticket in tickets[:_MOST_LISTED]
        ]
        if len(tickets) > _MOST_LISTED:
            listed.append(f"And {len(tickets) - _MOST_LISTED} more.")
        number = f"{len(tickets)} new tickets"
        return _message(to, number, [f"There are {number}.", "\n".join(listed)], link=url, label="Open the tickets")
    (ticket,) = tickets
    opened = (
        f"{_author(ticket)} {'reopened' if ticket.is_reopened else 'opened'} a ticket of {ticket.priority} priority."
    )
    return _message(
        to,
        f"Ticket #{ticket.id}: {ticket.subject}",
        [opened, ticket.description],
        link=f"{url}/{ticket.id}",
        label="Open the ticket",
        reply_to=ticket.email,
    )


def with_unsubscribe_link(message: Message, url: str, *, in_body: bool) -> Message:
    """Return a message that can be unsubscribed from, by its header fields and, if wanted, by a link at its end.

    Mail programs show a button for the two fields, and send one POST to the URL when it is pressed (RFC 8058).
    """
    headers = {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    if not in_body:
        return replace(message, headers=headers)
    link = f'<p style="font-size:13px"><a href="{html.escape(url)}" style="color:#5c6270">Unsubscribe</a></p>'
    before, end, after = message.html.rpartition("</div>")
    text = f"{message.text}\nUnsubscribe: {url}\n"
    return replace(message, text=text, html=f"{before}{link}{end}{after}", headers=headers)


def campaign(to: str, subject: str, content: str, text: str) -> Message:
    """Lay out a mail of a campaign, which was rendered when staff wrote it.

    Parameters
    ----------
    content: a fragment of HTML, which is not escaped here.
    text: the same as plain text.
    """
    subject = one_line(subject)
    return Message(to, subject, f"{text}\n", _PAGE.format(subject=html.escape(subject), content=content))


_PAUSES = {
    "overdue": "It did not begin within an hour of its time.",
    "bounces": "Too many of its mails bounced.",
    "complaints": "Too many of its recipients complained about it.",
}


def campaign_paused(
    to: str, campaign_id: int, subject: str, reason: str, *, sent: int, bounced: int, complained: int
) -> Message:
    """Tell staff that a campaign paused itself.

    Parameters
    ----------
    reason: overdue, bounces or complaints.
    sent, bounced, complained: mails since the campaign began, or since it was last resumed.
    """
    return _message(
        to,
        f"Campaign #{campaign_id} is paused: {subject}",
        [
            f"Campaign #{campaign_id}, {one_line(subject)}, paused itself. {_PAUSES[reason]}",
            f"Mails sent: {sent:,}. Bounced: {bounced:,}. Complaints: {complained:,}.",
            "It goes on when one of you resumes it.",
        ],
    )


def _author(ticket: NewTicket) -> str:
    return f"{ticket.username} (member {ticket.user_id})" if ticket.username else "A former member"


def _message(
    to: str, subject: str, paragraphs: list[str], *, link: str = "", label: str = "", reply_to: str | None = None
) -> Message:
    """Lay out a message; the link follows its first paragraph."""
    subject = one_line(subject)
    blocks = [f'<p style="white-space:pre-line">{html.escape(paragraph)}</p>' for paragraph in paragraphs]
    texts = list(paragraphs)
    if link:
        blocks.insert(1, _BUTTON.format(link=html.escape(link), label=html.escape(label)))
        texts.insert(1, link)
    content = _PAGE.format(subject=html.escape(subject), content="\n".join(blocks))
    return Message(to, subject, "\n\n".join(texts) + "\n", content, reply_to)

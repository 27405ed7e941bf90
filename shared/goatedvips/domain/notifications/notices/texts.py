"""The texts of notifications for members: in the inbox, on a lock screen, and in mail that says no more than these.

They are made from the payload. Text in it that somebody wrote becomes one line, without control characters.
A lock screen shows it to anyone, so there is no amount on it, and no such text that could name one.
"""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

type Payload = Mapping[str, Any]

_MOST_CODES = 20  # that one notification lists
_LONGEST_ON_LOCK_SCREEN = 150  # characters of a text that somebody wrote


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notification says, as plain text."""

    title: str
    body: str
    headline: str
    """The title as a lock screen shows it to anyone: without amounts."""
    teaser: str
    """The body as a lock screen shows it: without amounts and without what only the member should read."""


def describe(kind: str, payload: Payload) -> Notice:
    """Return what a notification for a member says.

    Raises
    ------
    LookupError: the kind is none for members, or its payload does not have the expected form.
    """
    return _DESCRIBE[kind](payload)


def one_line(text: str) -> str:
    """Return a text that people wrote as one line, so that it cannot begin another header or list entry."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _without_amount(text: str, otherwise: str) -> str:
    """Return a text that people wrote as one line if it can be no amount: it has no number and no currency sign.

    Parameters
    ----------
    otherwise: what is returned for any other text, and for a long one.
    """
    line = one_line(text)
    has_amount = any(letter.isnumeric() or unicodedata.category(letter) == "Sc" for letter in line)
    return otherwise if has_amount or not 0 < len(line) <= _LONGEST_ON_LOCK_SCREEN else line


def _link_decided(payload: Payload) -> Notice:
    if payload["decision"] == "approved":
        title, teaser = "Your casino account is linked", "It is now linked to your account."
    else:
        title, teaser = "Your casino account was not linked", "You can ask again at any time."
    return Notice(title, _account(payload) + teaser + _reason(payload), title, teaser)


def _link_ended(payload: Payload) -> Notice:
    title, teaser = "Your casino account is no longer linked", "You can ask for a link again."
    return Notice(title, _account(payload) + teaser + _reason(payload), title, teaser)


def _account(payload: Payload) -> str:
    return f"Casino account {one_line(payload['uid'])}: " if payload.get("uid") else ""


def _reason(payload: Payload) -> str:
    return f" Our reason: {one_line(payload['reason'])}" if payload.get("reason") else ""


def _ticket_reply(payload: Payload) -> Notice:
    number = f"Answer to your ticket #{payload['ticket_id']}"
    body = f"We have answered your ticket {one_line(payload['subject'])}. Please reply on the ticket itself."
    return Notice(number, body, number, "We have answered your ticket.")


def _race_started(payload: Payload) -> Notice:
    body = f"It ends on {_minute(payload['end_date'])}. Good luck!"
    headline = f"{_without_amount(payload['title'], 'A race')} has begun"
    return Notice(f"{one_line(payload['title'])} has begun", body, headline, body)


def _race_result(payload: Payload) -> Notice:
    rank, prize = payload["rank"], payload["prize"]
    placed = f"You finished at rank {rank:,}." if rank else "You have no rank in it."
    won = f" You won {_dollars(prize)}. The prize is in your rewards." if prize else ""
    headline = f"The result of {_without_amount(payload['title'], 'a race')}"
    return Notice(f"The result of {one_line(payload['title'])}", placed + won, headline, placed)


def _tier_reached(payload: Payload) -> Notice:
    reward = payload["reward"]
    title = f"You have reached the tier {one_line(payload['tier'])}"
    has_reward = reward is not None and Decimal(reward) > 0
    body = f"Your reward of {_dollars(reward)} is in your rewards." if has_reward else "Thank you for playing with us."
    named = _without_amount(payload["tier"], "")
    headline = f"You have reached the tier {named}" if named else "You have reached a new tier"
    return Notice(title, body, headline, "Your reward is in your rewards." if has_reward else body)


def _code_issued(payload: Payload) -> Notice:
    count, value, codes = payload["count"], payload["value"], payload["codes"][:_MOST_CODES]
    number = "a bonus code" if count == 1 else f"{count:,} bonus codes"
    worth = f" worth {_dollars(value)}{'' if count == 1 else ' each'}" if value else ""
    starts_at = payload["starts_at"]
    since = f" from {_minute(starts_at)}" if starts_at else ""
    period = f"You can claim {'it' if count == 1 else 'them'}{since} until {_minute(payload['expires_at'])}."
    more = f" and {count - len(codes):,} more" if count > len(codes) else ""
    body = f"We have given you {number}{worth}: {', '.join(map(one_line, codes))}{more}. {period}"
    return Notice(f"You have {number}", body, f"You have {number}", period)


def _win_expiring(payload: Payload) -> Notice:
    until = f"until {_minute(payload['expires_at'])}"
    code = one_line(payload["code"])
    title = "Claim what you have won"
    return Notice(title, f"Claim {code} {until}. Then it expires.", title, f"You can claim it {until}.")


def _code_expiring(payload: Payload) -> Notice:
    count, until = payload["count"], f"until {_minute(payload['expires_at'])}"
    if count == 1:
        body = f"Claim {one_line(payload['code'])} {until}. Then it expires."
        title = "Your bonus code expires soon"
        return Notice(title, body, title, f"You can claim it {until}.")
    body = f"You can claim {count:,} of them {until}, for example {one_line(payload['code'])}. Then they expire."
    title = "Your bonus codes expire soon"
    return Notice(title, body, title, f"You can claim them {until}.")


def _campaign(payload: Payload) -> Notice:
    subject = one_line(payload["subject"])
    headline = _without_amount(subject, "A message to members")
    return Notice(subject, payload["plain_text"], headline, "Read it in your inbox.")


def _statement_written(payload: Payload) -> Notice:
    month = f"{date.fromisoformat(payload['month']):%B %Y}"
    body = "It has what you have wagered, your spins, claims, races and rewards."
    title = f"Your statement for {month}"
    return Notice(title, body, title, "It is in your account.")


_DESCRIBE: Final[Mapping[str, Callable[[Payload], Notice]]] = {
    "link_decided": _link_decided,
    "link_ended": _link_ended,
    "ticket_reply": _ticket_reply,
    "race_started": _race_started,
    "race_result": _race_result,
    "tier_reached": _tier_reached,
    "code_issued": _code_issued,
    "win_expiring": _win_expiring,
    "code_expiring": _code_expiring,
    "statement_written": _statement_written,
    "campaign": _campaign,
}


def _dollars(amount: str) -> str:
    return f"${Decimal(amount):,.2f}"


def _minute(instant: str) -> str:
    """Write an instant of a payload, as PostgreSQL writes a `timestamp` in UTC into JSON."""
    try:
        moment = datetime.fromisoformat(instant)
    except ValueError:  # an adopted row may have `infinity`
        return instant
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"

"""The kinds of notifications. A kind that is not in this table can be neither queued nor sent."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Priority(IntEnum):
    """The order in which waiting mail is sent: all that is due of one priority before any of the next."""

    CRITICAL = 0
    """Mail that gives access to an account, or reports a change of it."""
    SERVICE = 1
    """Mail to members about what they asked for, and mail to staff."""
    CONFIRMATION = 2
    """Mail that anyone without an account can cause."""
    BULK = 3
    """Mail to very many recipients at once."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of notification.

    Parameters
    ----------
    name: as in the column `outbox.kind`.
    critical: it concerns access to the account, so no preference and no exclusion stops it.
    priority: as in the column `outbox.priority`.
    """

    name: str
    critical: bool
    priority: Priority


_ALL = (
    Kind("verification", critical=True, priority=Priority.CRITICAL),
    Kind("password_reset", critical=True, priority=Priority.CRITICAL),
    Kind("email_change", critical=True, priority=Priority.CRITICAL),
    Kind("email_changed", critical=True, priority=Priority.CRITICAL),
    Kind("link_decided", critical=False, priority=Priority.SERVICE),
    Kind("link_ended", critical=False, priority=Priority.SERVICE),
    Kind("ticket_reply", critical=False, priority=Priority.SERVICE),
    Kind("ticket_opened", critical=False, priority=Priority.SERVICE),
    Kind("race_result", critical=False, priority=Priority.BULK),
    Kind("newsletter_confirmation", critical=False, priority=Priority.CONFIRMATION),
)
KINDS: Final = {kind.name: kind for kind in _ALL}

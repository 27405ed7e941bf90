"""The kinds of notifications. A kind that is not in this table can be neither queued nor sent."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of notification.

    Parameters
    ----------
    name: as in the column `outbox.kind`.
    critical: it concerns access to the account, so no preference and no exclusion stops it.
    priority: a mail of a lower number is sent first.
    """

    name: str
    critical: bool
    priority: int


_ALL = (
    Kind("verification", critical=True, priority=0),
    Kind("password_reset", critical=True, priority=0),
    Kind("email_change", critical=True, priority=0),
    Kind("email_changed", critical=True, priority=0),
    Kind("newsletter_confirmation", critical=False, priority=1),
    Kind("link_decided", critical=False, priority=1),
    Kind("ticket_opened", critical=False, priority=1),
)
KINDS: Final = {kind.name: kind for kind in _ALL}

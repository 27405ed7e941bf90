"""The kinds of notifications. A kind that is not in this table can be neither queued nor sent."""

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum, StrEnum
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
    """Mail to very many recipients at once, about what happened."""
    CAMPAIGN = 4
    """Mail that staff write, with its campaign in `outbox.campaign_id`. Each campaign has a turn of its own."""


class Switch(StrEnum):
    """What turns a kind of notification off, besides its channel.

    The first four are the columns of `notification_preferences` of these names.
    """

    WAGER_RACE_UPDATES = "wager_race_updates"
    VIP_STATUS_CHANGES = "vip_status_changes"
    PROMOTIONAL_OFFERS = "promotional_offers"
    MONTHLY_STATEMENTS = "monthly_statements"
    CRITICAL = "critical"
    """Nothing, and no channel either: it concerns access to the account."""
    SERVICE = "service"
    """Only the channel: it concerns what the member asked for."""
    STAFF = "staff"
    """Nothing: it goes to staff."""
    NEWSLETTER = "newsletter"
    """The subscription of the e-mail address, and the channel of its member."""
    NEWSLETTER_CONFIRMATION = "newsletter_confirmation"
    """Nothing: it goes to any e-mail address that neither bounced nor complained."""


PREFERENCES: Final = frozenset(
    {Switch.WAGER_RACE_UPDATES, Switch.VIP_STATUS_CHANGES, Switch.PROMOTIONAL_OFFERS, Switch.MONTHLY_STATEMENTS}
)
"""The switches that are columns of `notification_preferences`."""
MEMBERS: Final = PREFERENCES | {Switch.SERVICE}
"""The switches of kinds that members also get in their inbox and by push."""
DURING_EXCLUSION: Final = frozenset({Switch.CRITICAL, Switch.SERVICE, Switch.MONTHLY_STATEMENTS, Switch.STAFF})
"""The switches of kinds that are sent while the member is excluded from play or suspended."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of notification.

    Parameters
    ----------
    name: as in the column `outbox.kind`.
    priority: as in the column `outbox.priority`.
    switch: what turns it off.
    push_ttl: how long a push message is of use from when it is due, and a push service keeps it for a device that is
        offline (TTL of RFC 8030); None: it is not pushed.
    """

    name: str
    priority: Priority
    switch: Switch
    push_ttl: timedelta | None = None

    @property
    def is_critical(self) -> bool:
        """Whether it concerns access to the account, so no preference and no exclusion stops it."""
        return self.switch is Switch.CRITICAL

    @property
    def has_inbox(self) -> bool:
        """Whether it is also a row in the member's inbox."""
        return self.switch in MEMBERS


_DAY = timedelta(days=1)
_ALL = (
    Kind("verification", Priority.CRITICAL, Switch.CRITICAL),
    Kind("password_reset", Priority.CRITICAL, Switch.CRITICAL),
    Kind("email_change", Priority.CRITICAL, Switch.CRITICAL),
    Kind("email_changed", Priority.CRITICAL, Switch.CRITICAL),
    Kind("link_decided", Priority.SERVICE, Switch.SERVICE, 7 * _DAY),
    Kind("link_ended", Priority.SERVICE, Switch.SERVICE, 7 * _DAY),
    Kind("ticket_reply", Priority.SERVICE, Switch.SERVICE, 7 * _DAY),
    Kind("win_expiring", Priority.SERVICE, Switch.SERVICE, timedelta(hours=3)),
    Kind("ticket_opened", Priority.SERVICE, Switch.STAFF),
    Kind("campaign_paused", Priority.SERVICE, Switch.STAFF),
    Kind("campaign_test", Priority.SERVICE, Switch.STAFF),
    Kind("newsletter_confirmation", Priority.CONFIRMATION, Switch.NEWSLETTER_CONFIRMATION),
    Kind("race_started", Priority.BULK, Switch.WAGER_RACE_UPDATES, _DAY),
    Kind("race_result", Priority.BULK, Switch.WAGER_RACE_UPDATES, 7 * _DAY),
    Kind("tier_reached", Priority.BULK, Switch.VIP_STATUS_CHANGES, 7 * _DAY),
    Kind("code_issued", Priority.BULK, Switch.PROMOTIONAL_OFFERS, _DAY),
    Kind("code_expiring", Priority.BULK, Switch.PROMOTIONAL_OFFERS, _DAY),
    Kind("campaign", Priority.CAMPAIGN, Switch.PROMOTIONAL_OFFERS, _DAY),
    Kind("statement_written", Priority.BULK, Switch.MONTHLY_STATEMENTS, 7 * _DAY),
    Kind("newsletter", Priority.CAMPAIGN, Switch.NEWSLETTER),
)
KINDS: Final = {kind.name: kind for kind in _ALL}


def kinds_with(*switches: Switch) -> list[str]:
    """Return the names of the kinds that one of these switches turns off."""
    return [kind.name for kind in _ALL if kind.switch in switches]

"""Members' notification preferences: which kinds they want, by which channels, and when they want quiet."""

from sqlalchemy import ColumnElement, and_, func, literal, true

from goatedvips.domain.access import is_excluded
from goatedvips.domain.notifications.kinds import DURING_EXCLUSION, PREFERENCES, Switch
from goatedvips.models.accounts import users
from goatedvips.models.notifications import notification_preferences as preferences


def is_on(switch: Switch) -> ColumnElement[bool]:
    """Whether the preferences that are joined to a member leave a switch on; without a row the defaults hold.

    Promotional offers are off until the member consents to them.
    """
    if switch not in PREFERENCES:
        return true()
    column = func.coalesce(preferences.c[switch.value], literal(value=True))
    if switch is Switch.PROMOTIONAL_OFFERS:
        return and_(column, preferences.c.promotional_consented_at.is_not(None))
    return column


def is_channel_on(column: str) -> ColumnElement[bool]:
    """Whether the preferences that are joined to a member leave a channel on; without a row it is on.

    Parameters
    ----------
    column: `email_notifications` or `push_notifications`.
    """
    return func.coalesce(preferences.c[column], literal(value=True))


def is_wanted(switch: Switch) -> ColumnElement[bool]:
    """Whether a kind with this switch is shown in the inbox of the member in `users`, with their preferences joined.

    No channel matters. Excluded and suspended members get only what they have to know.
    """
    is_there = and_(users.c.erased_at.is_(None), is_on(switch))
    if switch in DURING_EXCLUSION:
        return is_there
    return and_(is_there, ~is_excluded(), users.c.suspended_at.is_(None))

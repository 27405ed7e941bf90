"""PATCH /v1/me/notification-preferences: a member changes what they want to be notified of."""

from dataclasses import asdict

from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.db import transaction
from goatedvips.domain.notifications.preferences import own
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.notifications import NotificationPreferences, NotificationPreferencesUpdate

api = HttpApi("member")


@api.patch("/v1/me/notification-preferences")
def update_preferences(body: NotificationPreferencesUpdate) -> NotificationPreferences:
    """Fields that are absent stay as they are. A switch that is turned off takes what is not due yet with it."""
    given = body.model_dump(exclude_unset=True)
    with transaction() as connection:
        preferences = own.change(connection, api.caller, given, now=utc_now())
    return NotificationPreferences(**asdict(preferences), push_public_key=settings.push_public_key or None)


handler = lambda_handler(api)

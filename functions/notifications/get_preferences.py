"""GET /v1/me/notification-preferences: what a member wants to be notified of."""

from dataclasses import asdict

from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.db import reading
from goatedvips.domain.notifications.preferences import own
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.notifications import NotificationPreferences

api = HttpApi("member")


@api.get("/v1/me/notification-preferences")
def get_preferences() -> NotificationPreferences:
    """A member who never changed them has the defaults: all on but promotional offers, which need their consent."""
    with reading() as connection:
        preferences = own.read(connection, api.caller, now=utc_now())
    return NotificationPreferences(**asdict(preferences), push_public_key=settings.push_public_key or None)


handler = lambda_handler(api)

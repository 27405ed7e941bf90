"""Request and answer bodies of notifications."""

import re
from datetime import datetime, time
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from goatedvips.push_services import (
    LONGEST_ENDPOINT,
    decode_base64url,
    encode_base64url,
    is_public_key,
    normalize_endpoint,
)
from goatedvips.validators.fields import AnswerBody, RequestBody, TimeZone
from goatedvips.validators.pagination import Page

_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"
_FORM = {"type": "string", "pattern": f"^{_CLOCK}$", "examples": ["22:00"]}
_LARGEST = 2**53 - 1  # that JavaScript reads exactly


def _clock(value: object) -> time:
    if not (isinstance(value, str) and re.fullmatch(_CLOCK, value)):
        raise ValueError("must be a time of the day, such as 22:00")
    return time.fromisoformat(value)


_AUTH_BYTES = 16


def _public_key(value: str) -> str:
    if not is_public_key(key := decode_base64url(value)):
        raise ValueError("must be a public key of the curve P-256: 65 bytes as base64url")
    return encode_base64url(key)


def _auth(value: str) -> str:
    if len(secret := decode_base64url(value)) != _AUTH_BYTES:
        raise ValueError("must be 16 bytes as base64url")
    return encode_base64url(secret)


type _Id = Annotated[int, Field(strict=True, ge=1, le=_LARGEST)]
type _Switch = Annotated[bool, Field(strict=True)] | None
type _GivenClock = Annotated[time, BeforeValidator(_clock), WithJsonSchema(_FORM, mode="validation")]
type _Clock = Annotated[
    time, PlainSerializer(lambda clock: f"{clock:%H:%M}", return_type=str), WithJsonSchema(_FORM, mode="serialization")
]
"""A time of the day in a response."""


class NotificationPreferences(AnswerBody):
    """What a member wants to be notified of, by which channels, and when not."""

    wager_race_updates: bool
    """Whether the member wants to know that races begin, and how they end."""
    vip_status_changes: bool
    """Whether the member wants to know which tiers they reach."""
    promotional_offers: bool
    """Whether the member has consented to promotional offers: bonus codes, reminders of them, and campaigns."""
    monthly_statements: bool
    """Whether the member wants to know of their monthly statements."""
    email_notifications: bool
    """Whether notifications are sent by mail. Mail that the account needs, such as a link for a new password, always
    is."""
    push_notifications: bool
    """Whether notifications are sent by push to the browsers that the member has subscribed."""
    promotional_consented_at: datetime | None
    """When the member consented to promotional offers; null if they have not."""
    quiet_from: _Clock | None
    """When the quiet hours of each day begin, by the clock of `time_zone`; null if there are none."""
    quiet_to: _Clock | None
    """When the quiet hours end. Mail that can wait and push messages are sent then."""
    time_zone: str | None
    """The IANA name of the time zone of the quiet hours; null if there are none."""
    push_public_key: str | None
    """The public key (VAPID, RFC 8292) that a browser subscribes to push with; null if there is no push."""


class NotificationPreferencesUpdate(RequestBody):
    """Changes of notification preferences. A field that is absent does not change.

    The three fields of the quiet hours are given together; null ends the quiet hours.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    wager_race_updates: _Switch = None
    """Whether the member wants to know that races begin, and how they end."""
    vip_status_changes: _Switch = None
    """Whether the member wants to know which tiers they reach."""
    promotional_offers: _Switch = None
    """True is the member's consent to promotional offers, with the time of the request; false withdraws it."""
    monthly_statements: _Switch = None
    """Whether the member wants to know of their monthly statements."""
    email_notifications: _Switch = None
    """Whether notifications are sent by mail."""
    push_notifications: _Switch = None
    """Whether notifications are sent by push."""
    quiet_from: _GivenClock | None = None
    """When the quiet hours of each day begin, by the clock of `time_zone`."""
    quiet_to: _GivenClock | None = None
    """When the quiet hours end; on the next day if it is before `quiet_from`."""
    time_zone: TimeZone | None = None
    """The IANA name of the time zone of the quiet hours, such as `Europe/Berlin`."""

    @model_validator(mode="after")
    def _has_whole_quiet_hours(self) -> "NotificationPreferencesUpdate":
        if not self.model_fields_set:
            raise ValueError("must have a field")
        quiet = (self.quiet_from, self.quiet_to, self.time_zone)
        if any(quiet) and None in quiet:
            raise ValueError("quiet_from, quiet_to and time_zone must be given together")
        if self.quiet_from is not None and self.quiet_from == self.quiet_to:
            raise ValueError("quiet_from and quiet_to must differ")
        return self


class Notification(AnswerBody):
    """An item of the inbox."""

    id: int
    """The id of the notification."""
    kind: str
    """The kind of the notification, such as `race_result`."""
    title: str
    """What happened, as one line of plain text."""
    body: str
    """More about it, as plain text."""
    created_at: datetime
    """Since when the notification is in the inbox."""
    read_at: datetime | None
    """When the member read it; null if they have not."""


class Inbox(Page[Notification]):
    """A page of the inbox."""

    unread: int
    """How many notifications of the whole inbox are not read; 1000 if there are more."""


class ReadRequest(RequestBody):
    """Which notifications the member has read."""

    ids: Annotated[list[_Id], Field(min_length=1, max_length=100)] | None = None
    """The ids of the notifications; absent for all that are in the inbox."""


class PushKeys(RequestBody):
    """The keys with which messages to a push subscription are encrypted (RFC 8291)."""

    p256dh: Annotated[str, Field(strict=True, max_length=100), AfterValidator(_public_key)]
    """The browser's public key on the curve P-256: 65 bytes as base64url."""
    auth: Annotated[str, Field(strict=True, max_length=30), AfterValidator(_auth)]
    """The authentication secret: 16 bytes as base64url."""


class PushSubscriptionRequest(RequestBody):
    """A push subscription, as a browser writes it: `JSON.stringify(subscription)`."""

    endpoint: Annotated[str, Field(strict=True, max_length=LONGEST_ENDPOINT), AfterValidator(normalize_endpoint)]
    """The https URL at the browser's push service. Push services of Google, Mozilla, Apple and Microsoft are known."""
    keys: PushKeys
    """The keys with which messages to the browser are encrypted."""
    expirationTime: float | None = None  # noqa: N815 - the name that browsers give it
    """Browsers write it; it is ignored, because the push service reports a subscription that has ended."""


class PushSubscriptionRemoval(RequestBody):
    """Which push subscription ends."""

    endpoint: Annotated[str, Field(strict=True, max_length=LONGEST_ENDPOINT), AfterValidator(normalize_endpoint)]
    """The endpoint of the push subscription."""


class PushSubscription(AnswerBody):
    """A push subscription of the member."""

    id: int
    """The id of the push subscription."""
    endpoint: str
    """The URL at the browser's push service."""
    created_at: datetime
    """When the member added it."""

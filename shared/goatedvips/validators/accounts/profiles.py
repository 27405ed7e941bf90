"""Requests and answers for a member's own account and for public profiles."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from goatedvips.validators.fields import CLEAN, AnswerBody, Money, RequestBody, matching

_COLOR = "^#[0-9A-Fa-f]{6}$"


class Me(AnswerBody):
    """The signed-in member's own account."""

    id: int
    """The member's id; other answers call it `user_id`."""
    username: str
    """The name that others see, unless `hide_name` is true."""
    email: str
    """The member's e-mail address. Other members never see it."""
    email_verified: bool
    """Whether the e-mail address is verified. `verified` is about the casino account instead."""
    is_staff: bool
    """Whether the member is staff and may call routes under `/v1/admin`."""
    bio: str | None
    """The member's description of themselves, as plain text."""
    profile_color: str | None
    """The colour of the member's profile as a CSS colour, such as `#D7FF00`."""
    verified: bool
    """Whether a casino account is linked. `email_verified` is about the e-mail address instead."""
    uid: str | None
    """The member's id at the casino; null if no casino account is linked."""
    hide_name: bool
    """Whether leaderboards hide the member's name and id."""
    total_wager: Money
    """The amount wagered at the casino over all time."""
    wager_today: Money
    """The amount wagered at the casino today."""
    wager_week: Money
    """The amount wagered at the casino this week."""
    wager_month: Money
    """The amount wagered at the casino this month."""
    tier: str | None
    """The name of the highest tier that the member has reached, which stays if the wager falls; null if none."""
    next_tier: str | None
    """The name of the tier above it; null if there is none."""
    missing: Money | None
    """The amount that the member still has to wager for `next_tier`, in US dollars; null if there is no next tier."""
    excluded_until: datetime | None
    """The earliest end of the member's exclusion from play; null if there is none or it is permanent."""
    excluded_permanently: bool
    """Whether the member is excluded from play permanently."""
    created_at: datetime
    """When the account was registered."""
    last_active: datetime | None
    """When the member was last active, exact to a few minutes; null if not known."""


class UpdateMeRequest(RequestBody):
    """Changes to the member's profile. A field that is absent or null does not change, except `bio`."""

    bio: Annotated[str, StringConstraints(max_length=500), CLEAN] | None = None
    """The member's description of themselves, as plain text; null removes it."""
    profile_color: (
        Annotated[
            str,
            Field(json_schema_extra={"pattern": _COLOR}),
            matching(_COLOR, "must be # and six hexadecimal digits, such as #D7FF00"),
        ]
        | None
    ) = None
    """The colour of the profile as a CSS colour, such as `#D7FF00`."""
    hide_name: Annotated[bool, Field(strict=True)] | None = None
    """Whether leaderboards and the profile hide the member's name."""


class Profile(AnswerBody):
    """A member's public profile."""

    id: int
    """The member's id; other answers call it `user_id`."""
    username: str | None
    """The username; null if the member hides it."""
    bio: str | None
    """The member's description of themselves, as plain text; null if there is none."""
    profile_color: str | None
    """The colour of the profile as a CSS colour, such as `#D7FF00`; null if there is none."""
    verified: bool
    """Whether a casino account is linked."""
    tier: str | None
    """The name of the highest tier that the member has reached; null if none."""
    joined: datetime
    """When the account was registered."""

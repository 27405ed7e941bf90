"""Requests and answers for profiles. `Me` is in `accounts`."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from goatedvips.validators.fields import CLEAN, AnswerBody, RequestBody, matching

_COLOR = "^#[0-9A-Fa-f]{6}$"


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

"""Requests and answers of profiles; `Me` is an account's."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from goatedvips.validators.fields import CLEAN, AnswerBody, RequestBody


class UpdateMeRequest(RequestBody):
    """What a member says of themselves; what is absent or null stays as it is, but for the bio."""

    bio: Annotated[str, StringConstraints(max_length=500), CLEAN] | None = None
    """Plain text; null removes it."""
    profile_color: Annotated[str, Field(pattern="^#[0-9A-Fa-f]{6}$")] | None = None
    """A CSS colour, such as `#D7FF00`."""
    hide_name: Annotated[bool, Field(strict=True)] | None = None
    """Whether leaderboards and their profile show them without name."""


class Profile(AnswerBody):
    """A member as everybody sees them."""

    id: int
    """The member's id, as `user_id` elsewhere."""
    username: str | None
    """Null: the member hides it."""
    bio: str | None
    """What they say of themselves."""
    profile_color: str | None
    """A CSS colour, such as `#D7FF00`."""
    verified: bool
    """The casino account is linked."""
    tier: str | None
    """The name of the highest tier that they have reached; null: none."""
    joined: datetime
    """Since when they are a member."""

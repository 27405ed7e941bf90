"""Query parameters and answers of the list of members, for staff."""

from datetime import datetime
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BeforeValidator

from goatedvips.validators.fields import AS_TYPED, CLEAN, ID, LARGEST_ID, AnswerBody, Money

_FLAGS = {"true": True, "false": False}


def _flag(value: object) -> object:
    if isinstance(value, str) and value not in _FLAGS:
        raise ValueError("must be true or false")
    return _FLAGS[value] if isinstance(value, str) else value


type MemberId = Annotated[int | None, Query(ge=1, le=LARGEST_ID), ID]
"""Finds the member with this id."""

type Prefix = Annotated[str | None, Query(min_length=1, max_length=254), CLEAN]
"""Finds members whose username or e-mail address begins with this text, ignoring case."""

type Uid = Annotated[str | None, Query(min_length=1, max_length=1000), AS_TYPED]
"""Finds the member who is linked to this id at the casino."""

type Flag = Annotated[bool | None, Query(), BeforeValidator(_flag)]
"""`true` or `false` filters the list; absent does not."""

type TierName = Annotated[str | None, Query(min_length=1, max_length=1000), CLEAN]
"""Finds members whose all-time wager is in the tier with this name."""


class ListedMember(AnswerBody):
    """A member in a list, as staff see them."""

    id: int
    """The member's id; other answers call it `user_id`."""
    username: str
    """The username, even if the member hides it from others."""
    email: str
    """The e-mail address in the member's own spelling."""
    email_verified: bool
    """Whether the e-mail address is verified. `verified` is about the casino account instead."""
    is_staff: bool
    """Whether the member is staff and may call routes under `/v1/admin`."""
    verified: bool
    """Whether a casino account is linked. `email_verified` is about the e-mail address instead."""
    uid: str | None
    """The member's id at the casino; null if no casino account is linked."""
    tier: str | None
    """The name of the highest tier that the all-time wager reaches; null if none."""
    total_wager: Money
    """The amount wagered at the casino over all time."""
    suspended_at: datetime | None
    """When staff suspended the account; null if it is not suspended."""
    excluded_until: datetime | None
    """The earliest end of the member's exclusion from play; null if there is none or it is permanent."""
    excluded_permanently: bool
    """Whether the member is excluded from play permanently."""
    created_at: datetime
    """When the account was registered."""
    last_active: datetime | None
    """When the member was last active, exact to a few minutes; null if not known."""

"""Requests and answers about bonus codes."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from goatedvips.validators.fields import CLEAN, LARGEST_ID, Amount, AnswerBody, Moment, Money, RequestBody

_NAME = r"^[A-Za-z0-9_]+([ -]+[A-Za-z0-9_]+)*$"


class ClaimRequest(RequestBody):
    """A code, however it was typed in: case, spaces and dashes don't matter."""

    code: Annotated[str, CLEAN]
    """As the member typed it."""


class CodeClaim(AnswerBody):
    """A member's claim of a code."""

    id: int
    """The claim's id, not the code's."""
    code: str
    """In the spelling it was issued with."""
    value: Money | None
    """Null: not known, of codes that are older than this platform."""
    currency: str
    """Of `value`, by ISO 4217."""
    claimed_at: datetime
    """The first time, however often it was claimed."""
    expires_at: datetime
    """When the code can no longer be claimed; the claim stays."""


class IssueRequest(RequestBody):
    """What a code is issued with."""

    code: Annotated[str | None, Field(pattern=_NAME, min_length=3, max_length=64)] = None
    """Letters, digits and underscores, with spaces and dashes in between; absent: one is generated."""
    value: Annotated[Amount, Field(gt=0, lt=Decimal(10) ** 8)]
    """What a claim is worth."""
    currency: Literal["USD"] = "USD"
    """Of `value`, by ISO 4217."""
    starts_at: Moment | None = None
    """Absent: at once."""
    expires_at: Moment
    """In the future; exclusive."""
    max_claims: Annotated[int | None, Field(strict=True, ge=1, le=2**31 - 1)] = None
    """How many members can claim it; null: no limit. A code with an owner has one claim."""
    user_id: Annotated[int | None, Field(strict=True, ge=1, le=LARGEST_ID)] = None
    """The member who alone can claim it."""


class IssuedCode(AnswerBody):
    """A code as staff see it."""

    id: int
    """The code's id."""
    code: str
    """As given, or generated."""
    value: Money | None
    """What a claim is worth."""
    currency: str
    """Of `value`, by ISO 4217."""
    starts_at: datetime | None
    """From when it can be claimed; null: at once."""
    expires_at: datetime
    """From when it can no longer be claimed."""
    max_claims: int | None
    """How many members can claim it; null: no limit."""
    claims: int
    """How many have claimed it."""
    user_id: int | None
    """The member who alone can claim it; null: anyone."""

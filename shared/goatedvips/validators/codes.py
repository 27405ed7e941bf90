"""Requests and answers of bonus codes."""

from datetime import datetime
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from goatedvips.validators.fields import (
    CLEAN,
    ID,
    LARGEST_ID,
    Amount,
    AnswerBody,
    Currency,
    Moment,
    Money,
    RequestBody,
    matching,
)

LARGEST_BATCH = 100_000  # codes
_NAME = r"^[A-Za-z0-9_]+([ -]+[A-Za-z0-9_]+)*$"


class ClaimRequest(RequestBody):
    """A claim of a bonus code."""

    code: Annotated[str, CLEAN]
    """The code as the member typed it. Case, spaces, dashes and invisible characters are ignored, and full-width
    characters are read as ordinary ones."""


class CodeClaim(AnswerBody):
    """A member's claim of a bonus code."""

    id: int
    """The id of the claim. It is not the id of the code."""
    code: str
    """The code, as it was issued."""
    value: Money | None
    """The value of the claim. It is null if the code is older than this platform, because its value is then unknown."""
    currency: Currency
    """The ISO 4217 code of the currency of `value`."""
    claimed_at: datetime
    """When the member claimed the code. Claiming it again does not change it."""
    expires_at: datetime
    """When the code expires. The claim stays valid."""


class IssueRequest(RequestBody):
    """The terms of a bonus code to be issued."""

    code: (
        Annotated[
            str,
            Field(min_length=3, max_length=64, json_schema_extra={"pattern": _NAME}),
            matching(_NAME, "must be of A-Z, a-z, 0-9 and _, with spaces and dashes only between them"),
        ]
        | None
    ) = None
    """The code: letters, digits and underscores, with spaces and dashes between them. If it is absent, a code is
    generated."""
    value: Annotated[Amount, Field(gt=0, lt=100_000_000)]
    """The value of one claim."""
    currency: Literal["USD"] = "USD"
    """The ISO 4217 code of the currency of `value`."""
    starts_at: Moment | None = None
    """When the code can first be claimed. If it is absent, the code can be claimed at once."""
    expires_at: Moment
    """When the code can no longer be claimed. It must be in the future and after `starts_at`."""
    max_claims: Annotated[int | None, Field(strict=True, ge=1, le=2**31 - 1)] = None
    """How many members can claim the code; null means that there is no limit. A code with an owner can be claimed
    once."""
    user_id: Annotated[int | None, Field(strict=True, ge=1, le=LARGEST_ID)] = None
    """The id of the only member who can claim the code. If it is null, any member can claim it."""
    count: Annotated[int | None, Field(strict=True, ge=1, le=LARGEST_BATCH)] = None
    """How many codes are generated, as one batch with these terms. If it is absent, a single code is issued."""


class IssuedBatch(AnswerBody):
    """A batch of bonus codes that was issued."""

    batch_id: int
    """The id of the batch, by which its codes are listed and revoked."""
    count: int
    """The number of its codes."""


class RevokedCodes(AnswerBody):
    """What the revocation of a batch did."""

    count: int
    """The number of codes that were revoked. Codes that had been revoked before do not count."""


class IssuedCode(AnswerBody):
    """A bonus code, for staff."""

    id: int
    """The id of the code."""
    code: str
    """The code, as it was given or generated."""
    value: Money | None
    """The value of one claim."""
    currency: Currency
    """The ISO 4217 code of the currency of `value`."""
    starts_at: datetime | None
    """When the code can first be claimed. It is null if it could be claimed at once."""
    expires_at: datetime
    """When the code can no longer be claimed."""
    max_claims: int | None
    """How many members can claim the code. It is null if there is no limit."""
    claims: int
    """The number of members who have claimed the code."""
    user_id: int | None
    """The id of the only member who can claim the code. It is null if any member can claim it."""


class ListedCode(IssuedCode):
    """A bonus code in the list for staff."""

    batch_id: int | None
    """The batch that the code was generated in. It is null if the code was issued singly, won, or is older than this
    platform."""
    revoked_at: datetime | None
    """When the code was revoked. It is null if the code was not revoked."""


type BatchId = Annotated[int, Query(ge=1, le=LARGEST_ID), ID]
"""The id of the batch."""

type BatchFilter = Annotated[int | None, Query(ge=1, le=LARGEST_ID), ID]
"""Finds the codes of this batch."""

type CodeFilter = Annotated[str | None, Query(min_length=1, max_length=1000), CLEAN]
"""Finds this code. Case, spaces, dashes and invisible characters are ignored."""

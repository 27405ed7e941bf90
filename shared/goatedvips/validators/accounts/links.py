"""Requests and answers for links to casino accounts."""

from datetime import datetime
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator

from goatedvips.validators.fields import CLEAN, LINE, AnswerBody, Money, RequestBody


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be printable")
    return value


type LinkStatus = Annotated[Literal["pending", "decided"], Query()]
"""`pending`: requests that wait for a decision, the oldest first. `decided`: the others, the newest first."""


class LinkRequest(RequestBody):
    """A request to link a casino account."""

    uid: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
        AfterValidator(_printable),
        CLEAN,
        LINE,
    ]
    """The member's id at the casino. Case matters."""


class PendingLink(AnswerBody):
    """A request that staff will decide. The answer does not reveal whether another member has the casino account."""

    id: int
    """The id of the request."""
    uid: str
    """The requested id at the casino."""
    status: Literal["pending"] = "pending"
    """Always `pending`: staff decide the request later."""
    requested_at: datetime
    """When the member made the request."""


class LinkDecision(RequestBody):
    """A staff member's decision on a request to link a casino account."""

    decision: Literal["approved", "refused"]
    """`approved` links the casino account to the member; `refused` does not."""
    reason: (
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), CLEAN, LINE] | None
    ) = Field(default=None, validate_default=True)
    """Why the request is decided so. The member sees it. It is required to refuse."""

    @field_validator("reason")
    @classmethod
    def _refusal_has_reason(cls, reason: str | None, info: ValidationInfo) -> str | None:
        if reason is None and info.data.get("decision") == "refused":
            raise ValueError("a refusal needs a reason")
        return reason


class LinkPerson(AnswerBody):
    """A member or a staff member."""

    id: int
    """The member's id; other answers call it `user_id`."""
    username: str
    """The username, even if the member hides it from others."""


class CasinoAccount(AnswerBody):
    """A casino account as the affiliate's feed last reported it."""

    name: str | None
    """The account's name at the casino; null if not known."""
    total_wager: Money
    """The amount wagered over all time."""
    read_at: datetime
    """When the feed last reported the account."""


class AccountLink(AnswerBody):
    """A member's request to link a casino account, with the facts that staff need to decide it."""

    id: int
    """The id of the request."""
    user: LinkPerson
    """The member who made the request."""
    uid: str
    """The requested id at the casino."""
    requested_at: datetime
    """When the member made the request."""
    decision: Literal["approved", "refused"] | None
    """The decision; null while the request is pending."""
    reason: str | None
    """Why the request was decided so, as the member sees it; null if no reason was given."""
    decided_at: datetime | None
    """When the request was decided; null while it is pending."""
    decided_by: LinkPerson | None
    """The staff member who decided; null while the request is pending."""
    linked_uid: str | None
    """The id at the casino that the member is linked to now; null if none."""
    excluded: bool
    """Whether the member is excluded from play."""
    uid_excluded: bool
    """Whether an exclusion from play is remembered for the requested id. An approval then excludes the member."""
    other_requests: list[LinkPerson]
    """Other members whose requests for the same id are pending, the oldest first, at most 20."""
    taken_by: LinkPerson | None
    """Another member who is linked to the same id. The request cannot be approved then. Null if there is none."""
    casino_account: CasinoAccount | None
    """The casino account as the feed reports it; null if the feed has never had it."""

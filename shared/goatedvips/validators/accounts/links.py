"""Requests and answers of links to casino accounts."""

from datetime import datetime
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator

from goatedvips.validators.fields import CLEAN, AnswerBody, Money, RequestBody


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be printable")
    return value


type LinkStatus = Annotated[Literal["pending", "decided"], Query()]
"""`pending` requests wait, the oldest first; of `decided` ones the newest is first."""


class LinkRequest(RequestBody):
    """Which casino account a member says is theirs."""

    uid: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_printable), CLEAN
    ]
    """The member's id at the casino; case matters."""


class PendingLink(AnswerBody):
    """A request that staff will decide; whose the casino account is by now is not told."""

    id: int
    """The request's id."""
    uid: str
    """As it was asked for."""
    status: Literal["pending"] = "pending"
    """Decided by staff."""
    requested_at: datetime
    """When it was asked for."""


class LinkDecision(RequestBody):
    """What staff decide."""

    decision: Literal["approved", "refused"]
    """Approved: the casino account is the member's from now on."""
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), CLEAN] | None = (
        Field(default=None, validate_default=True)
    )
    """Told to the member; a refusal needs one."""

    @field_validator("reason")
    @classmethod
    def _refusals_have_one(cls, reason: str | None, info: ValidationInfo) -> str | None:
        if reason is None and info.data.get("decision") == "refused":
            raise ValueError("a refusal needs a reason")
        return reason


class LinkPerson(AnswerBody):
    """A member, or one of the staff."""

    id: int
    """Their id, as `user_id` elsewhere."""
    username: str
    """Their name, be it hidden from others."""


class CasinoAccount(AnswerBody):
    """What the affiliate's feed has said of a uid."""

    name: str | None
    """At the casino."""
    total_wager: Money
    """Wagered since ever."""
    read_at: datetime
    """When the feed said so last."""


class AccountLink(AnswerBody):
    """A member's request to link a casino account, with what helps to decide it."""

    id: int
    """The request's id."""
    user: LinkPerson
    """Who asked."""
    uid: str
    """What for: an id at the casino."""
    requested_at: datetime
    """When they asked."""
    decision: Literal["approved", "refused"] | None
    """Null: it is pending."""
    reason: str | None
    """Given with the decision, and told to the member."""
    decided_at: datetime | None
    """When it was decided."""
    decided_by: LinkPerson | None
    """Who of the staff decided."""
    linked_uid: str | None
    """What the member is linked to at present; null: nothing."""
    taken_by: LinkPerson | None
    """Another member who has this uid; it cannot be approved then."""
    casino_account: CasinoAccount | None
    """Null: the feed knows no such uid."""

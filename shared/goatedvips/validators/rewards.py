"""Request and answer bodies of rewards and payouts."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import AfterValidator, Field

from goatedvips.validators.fields import (
    CLEAN,
    ID,
    LARGEST_ID,
    LINE,
    Amount,
    AnswerBody,
    Currency,
    Moment,
    Money,
    RequestBody,
    SignedAmount,
    one_of,
)

type UserId = Annotated[int, Field(strict=True, ge=1, le=LARGEST_ID)]
"""The id of a member."""


def _not_zero(value: Decimal) -> Decimal:
    if not value:
        raise ValueError("must not be zero")
    return value


class GrantRequest(RequestBody):
    """A grant to a member, or a correction."""

    user_id: UserId
    """The id of the member."""
    amount: Annotated[SignedAmount, AfterValidator(_not_zero), Field(gt=-100_000_000, lt=100_000_000)]
    """The amount in US dollars. An amount below zero is a correction: it takes the value back."""
    reason: Annotated[str, CLEAN, LINE, Field(min_length=1, max_length=10_000)]
    """Why. It stands only in the audit log."""


class Reward(AnswerBody):
    """A reward: a row of the ledger."""

    id: int
    """The id of the reward."""
    source_type: Annotated[str, one_of("spin", "code", "race", "tier", "grant", "correction")]
    """What the reward was granted for."""
    source_id: int
    """The id of what the reward was granted for, such as the spin or the code, by `source_type`."""
    amount: Money
    """The amount; below zero: it was taken back."""
    currency: Currency
    """The currency of `amount` (ISO 4217)."""
    created_at: datetime
    """When the reward was granted."""
    state: Annotated[str, one_of("open", "in_payout", "paid")]
    """`open`: in no payout; `in_payout`: in a payout that has no reference yet; `paid`: its payout has a reference."""
    payout_id: int | None
    """The id of the payout that the reward is in; null if it is open."""


class GrantedReward(Reward):
    """A reward, for staff."""

    user_id: int
    """The id of the member."""


class PayoutsRequest(RequestBody):
    """What is paid out. Without fields it is everything that is open."""

    before: Moment | None = None
    """Leaves out what was granted at this instant or later. What was taken back is never left out."""
    min_amount: Annotated[Amount, Field(gt=0)] | None = None
    """The smallest payout in US dollars. Members whose open rewards sum up to less get none."""
    user_ids: Annotated[list[UserId], Field(min_length=1, max_length=5_000)] | None = None
    """Only these members, even if they are suspended or erased. If it is absent, all members who are neither."""


class PayoutBatch(AnswerBody):
    """Payouts that were made together."""

    batch_id: int | None
    """The id of the batch; null if nothing was to be paid."""
    count: int
    """The number of payouts: one for each member."""
    amount: Money
    """The sum of the payouts in US dollars."""
    left_out: int
    """The number of members who would have got a payout if they were neither suspended nor erased."""


class Payout(AnswerBody):
    """A payout to a member."""

    id: int
    """The id of the payout."""
    batch_id: int
    """The id of its batch: payouts that were made together have the same."""
    user_id: int
    """The id of the member."""
    uid: str | None
    """The id of the casino account that was linked to the member when the payout was made; null if there was none."""
    amount: Money
    """The sum of its rewards in US dollars."""
    reference: str | None
    """The reference of the payment; null if it is not paid yet."""
    created_at: datetime
    """When the payout was made."""
    created_by: int
    """The id of the staff member who made the payout."""


class PayoutWithRewards(Payout):
    """A payout with the rewards that it covers."""

    rewards: list[Reward]
    """The rewards, the oldest first."""


class PaymentReference(RequestBody):
    """The reference of a payment."""

    reference: Annotated[str, CLEAN, LINE, Field(min_length=1, max_length=200)]
    """The reference, such as the id of the transaction at the casino."""


type MemberFilter = Annotated[int | None, Query(ge=1, le=LARGEST_ID), ID]
"""Only those of this member."""
type StateFilter = Annotated[Literal["open", "in_payout", "paid"] | None, Query()]
"""Only rewards in this state. It needs `user_id`."""
type BatchFilter = Annotated[int | None, Query(ge=1, le=LARGEST_ID), ID]
"""Only payouts of this batch."""
type PaidFilter = Annotated[Literal["true", "false"] | None, Query()]
"""`true`: only payouts with a reference; `false`: only payouts without one."""

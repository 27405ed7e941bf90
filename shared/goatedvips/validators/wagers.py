"""The affiliate feed as staff see it and what they accept of it, and the tiers of members."""

import re
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from goatedvips.validators.fields import AS_TYPED, CLEAN, LINE, Amount, AnswerBody, Money, RequestBody, one_of
from goatedvips.validators.pagination import Page

_TOTAL = re.compile(r"[0-9]{1,10}(\.[0-9]{1,8})?")
_MOST_TIERS = 50


def _total(value: object) -> object:
    if not (isinstance(value, str) and _TOTAL.fullmatch(value)):
        raise ValueError('must be a decimal string with at most eight decimals, such as "12.50"')
    return value


type Period = Annotated[Literal["today", "week", "month", "all_time"], Path()]
"""Today, this week, this month, as the casino counts them, or the whole time. Anything else is answered with 404."""


class WagerStanding(AnswerBody):
    """A member's place on a leaderboard of the community."""

    rank: int
    """The rank; 1 is the best. Members who have wagered the same are in the order of their ids."""
    user_id: int | None
    """The id of the member. It is null if the member hides their name."""
    username: str | None
    """The name of the member. It is null if the member hides their name."""
    wagered: Money
    """The amount that the member has wagered in the period, in US dollars."""


class WagerLeaderboard(Page[WagerStanding]):
    """A page of a leaderboard of the community."""

    as_of: datetime | None
    """When the affiliate's feed was requested that the figures come from. It is null until it has been read."""
    stale: bool
    """Whether the feed's readings of the last 30 minutes are missing."""


class RaceResult(AnswerBody):
    """The result of a race for one of its participants."""

    race_id: int
    """The id of the race."""
    title: str
    """The title of the race."""
    rank: int | None
    """The member's rank; 1 is the best. It is null if they were not ranked."""
    prize: Money
    """The member's prize in US dollars."""


def _month_name(first_instant: datetime) -> str:
    return f"{first_instant:%Y-%m}"


class Statement(AnswerBody):
    """What a member did in a month of UTC."""

    month: Annotated[
        datetime,
        PlainSerializer(_month_name, return_type=str),
        WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$", "examples": ["2026-11"]}),
    ]
    """The month."""
    wagered: Money
    """The amount that the member wagered, in US dollars: by how much the highest lifetime total of their casino account
    rose while it was linked to them. A reading of the feed that comes in after the month counts in the next one."""
    spins: int
    """The number of spins of the wheel."""
    claims: int
    """The number of codes that the member claimed."""
    rewards: Money
    """The sum of the rewards that were granted, in US dollars. What was taken back is subtracted."""
    races: list[RaceResult]
    """The races of the member that were settled in the month."""
    tier: str | None
    """The member's tier when the statement was written."""
    created_at: datetime
    """When the statement was written."""


class FeedReading(AnswerBody):
    """A reading of the feed."""

    key: str
    """The name of the object in the bucket of raw feeds."""
    requested_at: datetime
    """When the feed was requested."""
    ingested_at: datetime
    """When its figures were written."""
    is_whole: bool
    """Whether it counts as the complete list of accounts. Only such a reading clears the figures of missing accounts
    and decides where a race begins and ends."""
    problem: (
        Annotated[
            str,
            one_of(
                "bad_status",
                "not_json",
                "not_successful",
                "no_list",
                "empty",
                "mostly_bad",
                "pages_missing",
                "count_differs",
                "uids_missing",
            ),
        ]
        | None
    )
    """Why nothing was read from it, or why it is not whole by itself. Null if neither is so."""
    entry_count: int
    """The number of its entries, bad ones included."""
    bad_count: int
    """The number of entries that were skipped because a figure cannot be right."""
    uid_count: int
    """The number of different casino accounts in it. It is 0 if nothing was read from it."""
    missing_count: int
    """The number of casino accounts of the last whole reading before it that it lacks."""
    total_users: int | None
    """The number of entries that the feed says it has; null if it does not say."""
    last_updated: datetime | None
    """When the casino updated the figures, as the feed says; null if it does not say."""
    accepted_at: datetime | None
    """When staff accepted the reading although it lacks accounts; null if they have not."""


class FeedFall(AnswerBody):
    """A casino account whose lifetime total is below its highest one. Its scores stand still until it is above."""

    uid: str
    """The id of the account at the casino."""
    user_id: int | None
    """The id of the member whom the account is linked to; null if it is nobody's."""
    total: Money
    """The lifetime total of the last reading, in US dollars."""
    highest: Money
    """The highest lifetime total, in US dollars."""
    read_at: datetime
    """When the feed was requested that brought the total."""


class FeedView(AnswerBody):
    """The state of the feed."""

    readings: list[FeedReading]
    """The readings of the last 24 hours, the newest first, at most 1,000."""
    falls: list[FeedFall]
    """The accounts whose lower total nobody has accepted, the largest fall first, at most 1,000."""
    falls_total: int
    """The number of these accounts."""


class FeedAcceptance(RequestBody):
    """What staff accept: the lower total of an account, or, without `uid`, that the newest reading lacks accounts."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), CLEAN, LINE]
    """Why it is right. The audit log has it."""
    uid: Annotated[str, StringConstraints(min_length=1, max_length=500), AS_TYPED] | None = None
    """The id of the account at the casino whose lower total is accepted."""
    total: (
        Annotated[
            Decimal,
            BeforeValidator(_total),
            WithJsonSchema({"type": "string", "examples": ["12.50"]}, mode="validation"),
        ]
        | None
    ) = None
    """The total of the account in its last reading, in US dollars. It is required with `uid`."""

    @model_validator(mode="after")
    def _has_both_or_neither(self) -> "FeedAcceptance":
        if (self.uid is None) != (self.total is None):
            raise ValueError("must have both uid and total, or neither")
        return self


class FeedAccepted(AnswerBody):
    """What was accepted."""

    key: str
    """The name of the object in the bucket of raw feeds: the accepted reading, or the one that brought the total."""
    requested_at: datetime
    """When that feed was requested."""
    uid: str | None
    """The id of the account at the casino; null if the whole reading was accepted."""
    from_total: Money | None
    """The highest total that the account had; null if the whole reading was accepted."""
    to_total: Money | None
    """The accepted total; null if the whole reading was accepted."""
    accepted_at: datetime
    """When it was accepted."""


class TierRequest(RequestBody):
    """One tier to be published."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50), CLEAN, LINE]
    """The name, by which the tier is the same in all versions."""
    min_wager: Annotated[Amount, Field(lt=10_000_000_000)]
    """The amount wagered over all time that reaches the tier, in US dollars."""
    reward: Annotated[Amount, Field(lt=100_000_000)]
    """What a member gets who reaches it, in US dollars. `0.00` means nothing."""


class TiersRequest(RequestBody):
    """The tiers to be published."""

    tiers: Annotated[list[TierRequest], Field(min_length=1, max_length=_MOST_TIERS)]
    """All tiers, the lowest first. The first one has the `min_wager` `0.00`. No two have the same `min_wager`, or the
    same name ignoring case."""

    @field_validator("tiers")
    @classmethod
    def _ascends_from_zero(cls, tiers: list[TierRequest]) -> list[TierRequest]:
        if tiers[0].min_wager != 0:
            raise ValueError("must begin with a tier of the min_wager 0.00")
        if any(lower.min_wager >= higher.min_wager for lower, higher in pairwise(tiers)):
            raise ValueError("must have each min_wager above the one before")
        if len({tier.name.casefold() for tier in tiers}) < len(tiers):
            raise ValueError("must have a different name for each tier")
        return tiers


class Tier(AnswerBody):
    """One tier."""

    name: str
    """The name, by which the tier is the same in all versions."""
    min_wager: Money
    """The amount wagered over all time that reaches the tier, in US dollars."""
    reward: Money
    """What a member gets who reaches it, in US dollars. `0.00` means nothing."""


class TierVersion(AnswerBody):
    """A version of the tiers."""

    version: int
    """The number of this version."""
    published_at: datetime
    """When it was published, and since when it is in force."""
    tiers: list[Tier]
    """All tiers, the lowest first."""

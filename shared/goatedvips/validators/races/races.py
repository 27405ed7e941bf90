"""Wager races: the request that creates one, and the answer."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from goatedvips.validators.fields import CLEAN, LINE, Amount, AnswerBody, Moment, Money, RequestBody, TimeZone, one_of

type RaceType = Literal["weekly", "monthly", "weekend"]
"""The kind of the race. It also decides the windows of a race that repeats."""
type RaceStatus = Annotated[Literal["upcoming", "live", "completed", "cancelled"] | None, Query()]
"""Only races of this status are listed. If it is absent, races of every status are listed."""

type Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120), CLEAN, LINE]
"""The name of a race."""
type Text = Annotated[str, StringConstraints(max_length=10_000), CLEAN]
"""The rules or the description of a race."""

_HUNDRED_PERCENT = 100
_PERCENT_DECIMALS = 2
_PRIZE_POOL_BOUND = 100_000_000  # the archive of past races has the type numeric(10, 2)


def _percent(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic wants a ValueError
    percent = Decimal(value)
    if not 0 < percent <= _HUNDRED_PERCENT:
        raise ValueError("must be above 0 and at most 100")
    _, digits, exponent = percent.as_tuple()
    beyond = (
        digits[max(0, len(digits) + int(exponent) + _PERCENT_DECIMALS) :] if int(exponent) < -_PERCENT_DECIMALS else ()
    )
    if any(beyond):  # compared by its digits, because arithmetic rounds
        raise ValueError("must have at most two decimals")
    return percent.quantize(Decimal("0.01")).normalize()


def _shares_out_the_pool(percents: dict[str, Decimal]) -> dict[str, Decimal]:
    if percents.keys() != {str(rank) for rank in range(1, len(percents) + 1)}:
        raise ValueError('must have the ranks "1", "2" and so on without a gap')
    if sum(percents.values()) > _HUNDRED_PERCENT:
        raise ValueError("must add up to at most 100")
    return percents


type Percent = Annotated[
    Decimal,
    BeforeValidator(_percent),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": _HUNDRED_PERCENT}),
]
"""A percentage as a JSON number with at most two decimals."""
type PrizePool = Annotated[Amount, Field(gt=0, lt=_PRIZE_POOL_BOUND)]
"""The sum of all prizes of a race, in US dollars."""
type PrizeDistribution = Annotated[dict[str, Percent], Field(min_length=1), AfterValidator(_shares_out_the_pool)]
"""The percentage of the prize pool for each rank of a race."""


class RaceRepeat(RequestBody):
    """How a race repeats. Each race of the series begins and ends at midnight in the time zone."""

    type: RaceType
    """The type of the race itself. `weekly` races run from Monday to Monday, `monthly` races from the 1st to the 1st,
    `weekend` races from Saturday to Monday."""
    time_zone: TimeZone
    """The IANA name of the zone, such as `Europe/Berlin`. When the rules of a zone change, races that exist keep their
    times, and the next race begins where the last one ends."""


class RaceRequest(RequestBody):
    """A race to be created."""

    title: Title
    """The name of the race."""
    type: RaceType
    """The kind of the race. When it runs follows from its dates."""
    prize_pool: PrizePool
    """The sum of all prizes, in US dollars. `prize_distribution` divides it."""
    start_date: Moment
    """When the race begins. If this instant has passed, the race is live at once."""
    end_date: Moment
    """When the race is over. It must be in the future and after `start_date`."""
    min_wager: Amount
    """The amount, in US dollars, that a participant must wager within the race to win a prize. Members can join without
    it."""
    prize_distribution: PrizeDistribution
    """The percentage of the prize pool for each rank. The keys are "1", "2" and so on without a gap. The sum of the
    percentages is at most 100."""
    rules: Text | None = None
    """The rules of the race, as plain text."""
    description: Text | None = None
    """The description of the race, as plain text."""
    repeat: RaceRepeat | None = None
    """How the race repeats. If it is absent, the race takes place once."""

    @property
    def time_zone(self) -> str | None:
        """The name of the zone in which the race repeats; None: it does not repeat."""
        return self.repeat.time_zone if self.repeat else None

    @field_validator("end_date")
    @classmethod
    def _ends_after_its_start(cls, end: datetime, info: ValidationInfo) -> datetime:
        if "start_date" in info.data and end <= info.data["start_date"]:
            raise ValueError("must be after start_date")
        return end

    @field_validator("repeat")
    @classmethod
    def _repeats_its_own_type(cls, repeat: RaceRepeat | None, info: ValidationInfo) -> RaceRepeat | None:
        if repeat and "type" in info.data and repeat.type != info.data["type"]:
            raise ValueError("must have the type of the race")
        return repeat


class Race(AnswerBody):
    """A wager race. Its status follows the clock."""

    id: int
    """The id of the race."""
    title: str
    """The name of the race."""
    type: Annotated[str, one_of("weekly", "monthly", "weekend")]
    """The kind of the race: `weekly`, `monthly` or `weekend`."""
    status: Literal["upcoming", "live", "completed", "cancelled"]
    """The status of the race: `upcoming`, `live`, `completed` or `cancelled`."""
    prize_pool: Money
    """The sum of all prizes, in US dollars. `prize_distribution` divides it."""
    start_date: datetime
    """When the race begins."""
    end_date: datetime
    """When the race is over. Wagers at this instant no longer count."""
    min_wager: Money
    """The amount, in US dollars, that a participant must wager within the race to win a prize. Members can join without
    it."""
    prize_distribution: Annotated[
        JsonValue,
        WithJsonSchema(
            {"type": "object", "additionalProperties": {"type": "number"}, "examples": [{"1": 50, "2": 30.5}]}
        ),
    ]
    """The percentage of the prize pool for each rank. The keys are "1", "2" and so on."""
    rules: str | None
    """The rules of the race, as plain text."""
    description: str | None
    """The description of the race, as plain text."""
    participants: int
    """The number of members who have joined the race."""

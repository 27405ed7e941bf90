"""Requests and answers of wager races."""

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

from goatedvips import time_zones
from goatedvips.validators.fields import CLEAN, Amount, AnswerBody, Moment, Money, RequestBody

type RaceType = Literal["weekly", "monthly", "weekend"]
"""How often such a race is held; where it repeats, its windows follow from it."""
type RaceStatus = Annotated[Literal["upcoming", "live", "completed", "cancelled"] | None, Query()]
"""Which races are asked for; absent: all."""

type _Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120), CLEAN]
type _Text = Annotated[str, StringConstraints(max_length=10_000), CLEAN]

_WHOLE = 100  # percent
_DECIMALS = 2
_POOL_BOUND = 100_000_000  # what the archive of past races can hold


def _percent(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic wants a ValueError
    percent = Decimal(value)
    if not 0 < percent <= _WHOLE:
        raise ValueError("must be above 0 and at most 100")
    _, digits, exponent = percent.as_tuple()
    beyond = digits[max(0, len(digits) + int(exponent) + _DECIMALS) :] if int(exponent) < -_DECIMALS else ()
    if any(beyond):  # looked at by its digits, since arithmetic rounds
        raise ValueError("must have at most two decimals")
    return percent.quantize(Decimal("0.01")).normalize()


def _zone(value: str) -> str:
    if value not in time_zones.names():
        raise ValueError("must be an IANA time zone, such as Europe/Berlin")
    return value


type Percent = Annotated[
    Decimal, BeforeValidator(_percent), WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": _WHOLE})
]
"""A percentage as a JSON number with at most two decimals."""


class RaceRepeat(RequestBody):
    """That a race repeats, in windows of local time."""

    type: RaceType
    """As the race's own: Monday to Monday, 1st to 1st, Saturday to Monday."""
    time_zone: Annotated[str, AfterValidator(_zone)]
    """The IANA name of the zone, such as `Europe/Berlin`. When the rules of a zone change, races that exist keep their
    times, and the next race begins where the last one ends."""


class RaceRequest(RequestBody):
    """A race to be announced."""

    title: _Title
    """Shown as it is."""
    type: RaceType
    """A name for its length; the dates decide."""
    prize_pool: Annotated[Amount, Field(gt=0, lt=_POOL_BOUND)]
    """What `prize_distribution` shares out."""
    start_date: Moment
    """Inclusive; in the past: live at once."""
    end_date: Moment
    """In the future and after start_date; exclusive."""
    min_wager: Amount
    """Announced as the least wager for a prize; joining does not ask for it."""
    prize_distribution: Annotated[dict[str, Percent], Field(min_length=1)]
    """Percent of the pool by rank: keys "1", "2" and so on without a gap, 100 at most in all."""
    rules: _Text | None = None
    """Plain text."""
    description: _Text | None = None
    """Plain text."""
    repeat: RaceRepeat | None = None
    """Absent: the race takes place once."""

    @property
    def time_zone(self) -> str | None:
        """Where the race repeats."""
        return self.repeat.time_zone if self.repeat else None

    @field_validator("end_date")
    @classmethod
    def _ends_after_its_start(cls, end: datetime, info: ValidationInfo) -> datetime:
        if "start_date" in info.data and end <= info.data["start_date"]:
            raise ValueError("must be after start_date")
        return end

    @field_validator("prize_distribution")
    @classmethod
    def _shares_out_the_pool(cls, percents: dict[str, Decimal]) -> dict[str, Decimal]:
        if percents.keys() != {str(rank) for rank in range(1, len(percents) + 1)}:
            raise ValueError('must have the ranks "1", "2" and so on without a gap')
        if sum(percents.values()) > _WHOLE:
            raise ValueError("must come to 100 at most")
        return percents

    @field_validator("repeat")
    @classmethod
    def _repeats_its_own_type(cls, repeat: RaceRepeat | None, info: ValidationInfo) -> RaceRepeat | None:
        if repeat and "type" in info.data and repeat.type != info.data["type"]:
            raise ValueError("must have the race's own type")
        return repeat


class Race(AnswerBody):
    """A race; its status follows the clock."""

    id: int
    """The race's id."""
    title: str
    """As staff wrote it."""
    type: str
    """`weekly`, `monthly` or `weekend`."""
    status: str
    """`upcoming`, `live`, `completed` or `cancelled`."""
    prize_pool: Money
    """What `prize_distribution` shares out."""
    start_date: datetime
    """Inclusive."""
    end_date: datetime
    """Exclusive."""
    min_wager: Money
    """Announced as the least wager for a prize; joining does not ask for it."""
    prize_distribution: Annotated[
        JsonValue,
        WithJsonSchema(
            {"type": "object", "additionalProperties": {"type": "number"}, "examples": [{"1": 50, "2": 30.5}]}
        ),
    ]
    """Percent of the pool by rank: keys "1", "2" and so on."""
    rules: str | None
    """Plain text."""
    description: str | None
    """Plain text."""
    participants: int
    """How many take part."""


class Standing(AnswerBody):
    """A participant as the leaderboard shows them."""

    rank: int | None
    """1 is the best; null: not ranked yet."""
    user_id: int | None
    """Null where the member hides their name."""
    username: str | None
    """Null, as the id is, where the member hides their name."""
    total_wager: Money
    """Wagered within the race."""


class Participation(AnswerBody):
    """A member's part in a race."""

    race_id: int
    """The race."""
    user_id: int
    """The member."""
    joined_at: datetime
    """The first time, however often they joined."""
    total_wager: Money
    """Wagered within the race."""
    rank: int | None
    """1 is the best; null: not ranked yet."""

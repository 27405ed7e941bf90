"""Staff's changes to a race and to its participants."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from goatedvips.validators.fields import CLEAN, LINE, Amount, AnswerBody, Moment, Money, RequestBody
from goatedvips.validators.races.races import PrizeDistribution, PrizePool, Text, Title


class RaceUpdate(RequestBody):
    """Changes to a race: at least one field. An absent field stays as it is."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    title: Title | None = None
    """The name of the race. Null changes nothing."""
    rules: Text | None = None
    """The rules of the race, as plain text. Null removes them."""
    description: Text | None = None
    """The description of the race, as plain text. Null removes it."""
    prize_pool: PrizePool | None = None
    """The sum of all prizes, in US dollars. While the race is live it can only rise. Null changes nothing."""
    start_date: Moment | None = None
    """When the race begins. It does not move once the race is live, nor if the race follows another one of its series.
    Null changes nothing."""
    end_date: Moment | None = None
    """When the race is over. It must be in the future and after the start. While the race is live it can only move
    later. It does not move once the next race of the series exists. Null changes nothing."""
    min_wager: Amount | None = None
    """The amount, in US dollars, that a participant must wager within the race to win a prize. It does not change once
    the race is live. Null changes nothing."""
    prize_distribution: PrizeDistribution | None = None
    """The percentage of the prize pool for each rank. The keys are "1", "2" and so on without a gap. It does not change
    once the race is live. Null changes nothing."""

    @model_validator(mode="after")
    def _has_a_change(self) -> "RaceUpdate":
        if not self.model_fields_set:
            raise ValueError("must have at least one field")
        return self

    @property
    def changes(self) -> dict[str, Any]:
        """The new values by field; a text that is to be removed is None."""
        given = self.model_dump(exclude_unset=True)
        return {name: value for name, value in given.items() if value is not None or name in ("rules", "description")}


class ParticipantUpdate(RequestBody):
    """Whether a participant is disqualified."""

    disqualified: Annotated[bool, Field(strict=True)]
    """True takes the participant's rank and lets the others move up. False takes that back."""
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), CLEAN, LINE]
    """Why. The audit log has it."""


class Participant(AnswerBody):
    """A participant of a race, as staff see them."""

    race_id: int
    """The id of the race."""
    user_id: int
    """The id of the member."""
    rank: int | None
    """The rank within the race; 1 is the best. It is null if the participant is not ranked."""
    total_wager: Money
    """The amount that the participant has wagered within the race, in US dollars."""
    disqualified_at: datetime | None
    """When the participant was disqualified; null if they are not."""

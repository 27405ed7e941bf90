"""The settlement of a race, and its report."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StrictBool, model_validator

from goatedvips.validators.fields import AnswerBody, Money, RequestBody


class SettlementRequest(RequestBody):
    """How a race is settled."""

    dry_run: StrictBool = False
    """Only show what a settlement would give now. This is possible from the start of the race on."""
    force: StrictBool = False
    """Settle with the last feed that was read, if there is none of the race's end 24 hours after it."""
    already_paid: StrictBool = False
    """Only mark the race as settled, because its prizes were paid without the platform. This is possible for races
    that the previous application made. It excludes the other two."""

    @model_validator(mode="after")
    def _settles_in_one_way(self) -> "SettlementRequest":
        if self.already_paid and (self.dry_run or self.force):
            raise ValueError("already_paid excludes dry_run and force")
        return self


class SettledStanding(AnswerBody):
    """The result of a participant."""

    user_id: int | None
    """The id of the member. It is null if the member has erased their account since."""
    rank: int | None
    """The rank; 1 is the best. It is null if the participant is not ranked."""
    score: Money
    """The amount wagered within the race, in US dollars, cut to cents."""
    prize: Money
    """The prize in US dollars; `"0.00"`: none."""
    new: bool | None = None
    """Only in a dry run: whether the casino account appeared after the start of the race. Its score then begins with
    what the feed's own counters say."""


class TotalFall(AnswerBody):
    """A lifetime total of a participant that is below an earlier one."""

    user_id: int
    """The id of the member."""
    highest: Money
    """The highest total so far, in US dollars. Scores count from it."""
    total: Money
    """The present total in US dollars."""


class SettlementReport(AnswerBody):
    """The result of a settlement, or what it would be."""

    race_id: int
    """The id of the race."""
    settled_at: datetime | None
    """When the race was settled. It is null in a dry run."""
    participants: int
    """The number of participants."""
    ranked: int
    """The number of participants who have a rank."""
    standings: Annotated[list[SettledStanding], Field(max_length=1_000)]
    """The participants by rank, then those without a rank; at most the first 1,000."""
    paid: Money | None
    """The sum of all prizes, in US dollars. It is null if the prizes were paid without the platform."""
    unallocated: Money | None
    """The part of the prize pool that nobody gets, in US dollars. It is null if the prizes were paid without the
    platform."""
    disqualified: list[int]
    """The ids of the members whom staff have disqualified."""
    falls: list[TotalFall]
    """Only in a dry run: participants whose total has fallen; at most 100. A fall changes no score until it is
    accepted."""

"""The participation of members in wager races, and their standings."""

import re
from datetime import datetime
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BeforeValidator

from goatedvips.validators.fields import AnswerBody, Money
from goatedvips.validators.pagination import Page

_AROUND = re.compile(r"[0-9]{1,2}")


def _around(value: object) -> object:
    if isinstance(value, str) and not _AROUND.fullmatch(value):
        raise ValueError("must be a whole number from 0 to 50")
    return value


type Around = Annotated[int, Query(ge=0, le=50), BeforeValidator(_around)]
"""The largest number of participants on either side of the member that the answer has."""


class Standing(AnswerBody):
    """A participant of a race, as the leaderboard shows them."""

    rank: int | None
    """The rank within the race; 1 is the best. It is null if the participant is not ranked."""
    user_id: int | None
    """The id of the member. It is null if the member hides their name."""
    username: str | None
    """The name of the member. It is null if the member hides their name."""
    total_wager: Money
    """The amount that the participant has wagered within the race, in US dollars."""


class _AsOf(AnswerBody):
    as_of: datetime | None
    """When the affiliate's feed was requested that the ranks come from. It is null until it has been read for this
    race."""
    stale: bool
    """Whether the feed's readings of the last 30 minutes are missing. It is false before the race starts, and once the
    ranks come from the reading that ends the race."""


class Leaderboard(Page[Standing], _AsOf):
    """A page of a race's leaderboard."""


class HistoryPoint(AnswerBody):
    """The score of a participant at some time."""

    at: datetime
    """When the affiliate's feed was requested from which the score was computed."""
    total: Money
    """The amount that the participant had wagered within the race by then, in US dollars."""


class OwnStanding(_AsOf):
    """A member's own standing in a race."""

    rank: int | None
    """The rank within the race; 1 is the best. It is null if the member is not ranked."""
    total_wager: Money
    """The amount that the member has wagered within the race, in US dollars."""
    unranked_reason: (
        Literal["not_linked", "no_wager", "below_min_wager", "excluded", "disqualified", "staff", "suspended"] | None
    )
    """Why the member has no rank. In a settled race it is why they had none at the settlement; only there it can be
    `suspended`. If this and `rank` are both null, the next reading of the feed gives them a rank."""
    missing: Money | None
    """The amount that the member still has to wager for a rank, in US dollars. It is null if this is not what they
    lack."""
    wager_history: list[HistoryPoint]
    """How the score rose, the oldest point first. Of more than 200 readings, 200 are taken evenly."""
    above: list[Standing]
    """The participants with the ranks above the member's, the nearest last. It is empty if the member is not ranked."""
    below: list[Standing]
    """The participants below the member, the nearest first. It is empty if the member is not ranked."""


class Participation(AnswerBody):
    """The participation of a member in a race."""

    race_id: int
    """The id of the race."""
    user_id: int
    """The id of the member."""
    joined_at: datetime
    """When the member joined the race. Joining again does not change it."""
    total_wager: Money
    """The amount that the participant has wagered within the race, in US dollars."""
    rank: int | None
    """The rank within the race; 1 is the best. It is null if the participant is not ranked yet."""

"""The participation of members in wager races, and their standings."""

from datetime import datetime

from goatedvips.validators.fields import AnswerBody, Money


class Standing(AnswerBody):
    """A participant of a race, as the leaderboard shows them."""

    rank: int | None
    """The rank within the race; 1 is the best. It is null if the participant is not ranked yet."""
    user_id: int | None
    """The id of the member. It is null if the member hides their name."""
    username: str | None
    """The name of the member. It is null if the member hides their name."""
    total_wager: Money
    """The amount that the participant has wagered within the race, in US dollars."""


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

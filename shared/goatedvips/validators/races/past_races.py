"""Races of the archive."""

from datetime import datetime
from typing import Annotated

from pydantic import JsonValue, WithJsonSchema

from goatedvips.validators.fields import AnswerBody, Money

_ENTRY = {
    "type": "object",
    "examples": [{"user_id": 7, "username": "goat", "rank": 1, "total_wager": "1250.40", "prize": "500.00"}],
}


class PastRace(AnswerBody):
    """A race of the archive."""

    id: int
    """The id in the archive."""
    race_id: int | None
    """The id of the race. It is null for a race that was archived before the platform settled races."""
    title: str | None
    """The name of the race, if it was archived."""
    type: str | None
    """The kind of the race, if it was archived: `weekly`, `monthly` or `weekend`."""
    month: str
    """The English name of the month in which the race ended, in UTC."""
    year: str
    """The year in which the race ended, in UTC."""
    prize_pool: Money
    """The sum of all prizes that could be won, in US dollars."""
    start_date: datetime
    """When the race began."""
    end_date: datetime
    """When the race was over."""
    total_wagered: Money
    """The amount that all participants together wagered within the race, in US dollars."""
    participant_count: int | None
    """The number of participants, if it is known."""


class RawFeed(AnswerBody):
    """A raw feed of the affiliate that was the state of all accounts at the start or the end of a race."""

    sha256: str
    """The SHA-256 of the uncompressed bytes of the raw feed, in hexadecimal digits."""
    requested_at: datetime
    """When the feed was requested."""


class PastRaceResults(AnswerBody):
    """A race of the archive, with its results."""

    race: PastRace
    """The race."""
    participants: Annotated[list[JsonValue], WithJsonSchema({"type": "array", "items": _ENTRY, "maxItems": 1_000})]
    """The participants by rank, then those without a rank; at most the first 1,000. A race that was archived before
    the platform settled races may have objects of another shape. `user_id` and `username` are null if the member hides
    their name."""
    min_wager: Money | None
    """The amount, in US dollars, that a participant had to wager to win a prize. Like the following fields, it is null
    unless the platform settled the race."""
    prize_distribution: (
        Annotated[
            JsonValue,
            WithJsonSchema({"type": "object", "additionalProperties": {"type": "number"}, "examples": [{"1": 100}]}),
        ]
        | None
    )
    """The percentage of the prize pool for each rank."""
    paid: Money | None
    """The sum of the prizes, in US dollars."""
    unallocated: Money | None
    """The part of the prize pool that nobody won, in US dollars."""
    start_feed: RawFeed | None
    """The raw feed at the start of the race."""
    end_feed: RawFeed | None
    """The raw feed at the end of the race."""

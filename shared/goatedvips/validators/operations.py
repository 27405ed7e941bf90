"""Answers about the platform itself, and the platform at a glance."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from goatedvips.validators.fields import AnswerBody, Money


class SchemaRevision(AnswerBody):
    """Revisions of the database's schema."""

    expected: str
    """The one that this release is written for."""
    actual: str
    """The one that the database has."""


class Health(AnswerBody):
    """All is well; else the answer is a problem with status 503."""

    status: Literal["ok"] = "ok"
    """Of the whole."""
    database: Literal["ok"] = "ok"
    """It answers."""
    schema_: SchemaRevision = Field(alias="schema")
    """Both are the same here."""


class OverviewMembers(AnswerBody):
    """How many members there are."""

    all: int | None
    """Approximate; null: the database has not counted yet."""
    new_today: int
    """Registered within the last 24 hours."""
    new_this_week: int
    """Registered within the last 7 days."""
    active: int
    """Seen within the last 30 days."""
    approximate: list[str]
    """Which of these are estimates."""


class OverviewWagers(AnswerBody):
    """What all linked members have wagered at the casino, by its own counters."""

    today: Money
    """Its present day."""
    week: Money
    """Its present week."""
    month: Money
    """Its present month."""


class OverviewRaces(AnswerBody):
    """Races."""

    live: int
    """Running now."""


class OverviewTickets(AnswerBody):
    """The tickets of one priority that are not closed."""

    priority: str
    """`high`, `medium` or `low`."""
    waiting: int
    """How many."""
    oldest_at: datetime | None
    """When the first of them was opened; null: there are none."""


class OverviewCodes(AnswerBody):
    """Bonus codes."""

    issued: int | None
    """Approximate; null: the database has not counted yet."""
    claimed: int | None
    """Claims of all codes, approximate; null: the database has not counted yet."""
    approximate: list[str]
    """Which of these are estimates."""


class OverviewRewards(AnswerBody):
    """Rewards that are still to be handed over; a win of the wheel once its code was claimed."""

    unfulfilled: int
    """How many."""
    amount: Money
    """Their sum."""


class OverviewMail(AnswerBody):
    """The outbox."""

    queued: int
    """Waiting to be sent."""
    failed: int
    """Given up."""


class OverviewFeed(AnswerBody):
    """The affiliate's feed of wagers."""

    read_at: datetime | None
    """Its last reading; null: there was none."""
    age_seconds: int | None
    """Seconds since then."""


class Overview(AnswerBody):
    """The platform at a glance."""

    members: OverviewMembers
    """How many there are."""
    wagers: OverviewWagers
    """At the casino."""
    races: OverviewRaces
    """Now."""
    tickets: list[OverviewTickets]
    """By priority, the most urgent first."""
    codes: OverviewCodes
    """Of all time."""
    rewards: OverviewRewards
    """To be handed over."""
    mail: OverviewMail
    """At this moment."""
    feed: OverviewFeed
    """How fresh the wagers are."""

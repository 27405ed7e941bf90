"""Answers of the health check and of the staff's overview."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from goatedvips.validators.fields import AnswerBody, Money
from goatedvips.validators.tickets import TicketPriority


class SchemaRevision(AnswerBody):
    """Two revisions of the database's schema."""

    expected: str
    """The revision that this release of the API needs."""
    actual: str
    """The revision that the database has."""


class Health(AnswerBody):
    """The API works. If it does not, the answer is a problem document with status 503."""

    status: Literal["ok"] = "ok"
    """The state of the API as a whole."""
    database: Literal["ok"] = "ok"
    """The database answers and accepts changes."""
    schema_: SchemaRevision = Field(alias="schema")
    """The schema's revisions. While a deployment is under way, the database's can be a later one."""


class OverviewMembers(AnswerBody):
    """Numbers of members."""

    all: int
    """The number of all members."""
    new_today: int
    """The number of members who registered within the last 24 hours."""
    new_this_week: int
    """The number of members who registered within the last 7 days."""
    active: int
    """The number of members who used the platform within the last 30 days."""
    approximate: list[str]
    """The names of the fields of this object that are estimates."""


class OverviewWagers(AnswerBody):
    """What all linked members have wagered at the casino, as the casino counts it."""

    today: Money
    """The sum of the casino's current day."""
    week: Money
    """The sum of the casino's current week."""
    month: Money
    """The sum of the casino's current month."""


class OverviewRaces(AnswerBody):
    """Numbers of races."""

    live: int
    """The number of races that are running now."""
    unsettled: int
    """The number of races that are over and wait for their settlement."""


class OverviewTickets(AnswerBody):
    """The tickets of one priority that are not closed."""

    priority: TicketPriority
    """`high`, `medium` or `low`."""
    waiting: int
    """The number of these tickets."""
    oldest_at: datetime | None
    """Since when a member has waited longest for an answer on one of these tickets; null if nobody waits."""


class OverviewCodes(AnswerBody):
    """Numbers of bonus codes and claims."""

    issued: int | None
    """The number of codes that were issued, approximate; null if the database has no estimate yet."""
    claimed: int | None
    """The number of claims of all codes, approximate; null if the database has no estimate yet."""
    outstanding: Money
    """The value of all claims that are left of live codes: those that are neither revoked nor expired, also before they
    start. Codes without a limit of claims are not in it, because their value has no bound."""
    claims_left: int
    """The number of these claims."""
    unlimited: int
    """The number of live codes without a limit of claims."""
    approximate: list[str]
    """The names of the fields of this object that are estimates."""


class OverviewRewards(AnswerBody):
    """Rewards that have not been paid yet: open ones, and those of payouts that have no reference yet."""

    unpaid: int
    """The number of these rewards."""
    amount: Money
    """The sum of these rewards."""
    open: Money
    """The sum of the open ones, which are in no payout yet."""


class OverviewMail(AnswerBody):
    """Numbers of mails in the outbox."""

    queued: int
    """The number of mails that wait to be sent."""
    failed: int
    """The number of mails that were given up after too many failures."""


class OverviewFeed(AnswerBody):
    """The state of the affiliate's feed of wagers."""

    read_at: datetime | None
    """When the feed was read last; null if it never was."""
    age_seconds: int | None
    """The number of seconds since then; null if the feed was never read."""
    token_ends_at: datetime | None
    """When the token for the affiliate API ends; null if it needs none, or if its end cannot be read."""


class Overview(AnswerBody):
    """The platform's key figures. They are counted once a minute."""

    as_of: datetime | None
    """When the figures were counted; null if they have not been counted yet, and then all of them are zero."""
    members: OverviewMembers
    """Numbers of members."""
    wagers: OverviewWagers
    """What members have wagered."""
    races: OverviewRaces
    """Numbers of races."""
    tickets: list[OverviewTickets]
    """Tickets that are not closed, one entry for each priority, the most urgent first."""
    codes: OverviewCodes
    """Numbers of bonus codes and claims of all time, and what is left to be claimed."""
    rewards: OverviewRewards
    """Rewards that have not been paid out yet."""
    mail: OverviewMail
    """Numbers of mails in the outbox."""
    feed: OverviewFeed
    """The state of the affiliate's feed of wagers."""

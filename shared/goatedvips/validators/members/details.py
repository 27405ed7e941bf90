"""The answer with all of one member, for staff."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import JsonValue, WithJsonSchema

from goatedvips.validators.fields import AnswerBody, Currency, Money, one_of
from goatedvips.validators.members.changes import ChangedMember
from goatedvips.validators.rewards import Reward
from goatedvips.validators.tickets import TicketPriority, TicketStatus


class MemberCounts(AnswerBody):
    """How many records the member has of each kind. The lists show only the last ones."""

    spins: int
    """Spins of the wheel."""
    claims: int
    """Claims of bonus codes."""
    races: int
    """Races that the member takes part in."""
    tickets: int
    """Support tickets that the member opened."""
    rewards: int
    """Rewards granted to the member."""
    links: int
    """Requests to link a casino account."""


class MemberSpin(AnswerBody):
    """A spin of the wheel."""

    id: int
    """The id of the spin."""
    segment_index: int
    """The index of the segment where the wheel stopped; the first segment is 0."""
    reward_code: str | None
    """The bonus code that the spin won; null if it won nothing."""
    timestamp: datetime
    """When the member spun the wheel."""


class MemberClaim(AnswerBody):
    """A claim of a bonus code."""

    id: int
    """The id of the claim."""
    code_id: int
    """The id of the code."""
    code: str
    """The code in the spelling it was issued with."""
    value: Money | None
    """The amount that the code is worth; null if not known, as for codes of the legacy application."""
    currency: Currency
    """The currency of `value` (ISO 4217)."""
    claimed_at: datetime
    """When the member claimed the code."""


class MemberRace(AnswerBody):
    """A member's participation in a race."""

    race_id: int
    """The id of the race."""
    title: str
    """The title of the race."""
    start_date: datetime
    """When the race starts (inclusive)."""
    end_date: datetime
    """When the race ends (exclusive)."""
    joined_at: datetime
    """When the member first joined."""
    total_wager: Money
    """The amount wagered within the race."""
    rank: int | None
    """The rank; 1 is the best. Null if the member is not ranked yet."""


class MemberTicket(AnswerBody):
    """A support ticket."""

    id: int
    """The id of the ticket."""
    subject: str
    """The subject line of the ticket."""
    status: TicketStatus
    """The status of the ticket: `open`, `in_progress` or `closed`."""
    priority: TicketPriority
    """The priority of the ticket: `low`, `medium` or `high`."""
    created_at: datetime
    """When the member opened the ticket."""
    updated_at: datetime
    """When the ticket last changed."""


class MemberLink(AnswerBody):
    """A request to link a casino account."""

    id: int
    """The id of the request."""
    uid: str
    """The requested id at the casino, in the member's spelling."""
    requested_at: datetime
    """When the member made the request."""
    decision: Literal["approved", "refused"] | None
    """The decision, `approved` or `refused`; null while the request is pending."""
    reason: str | None
    """Why the request was decided so; null if no reason was given."""
    decided_at: datetime | None
    """When the request was decided; null while it is pending."""
    decided_by: int | None
    """The user id of the staff member who decided; null while the request is pending."""


class MemberNotification(AnswerBody):
    """A mail or a push message to the member, and why it was not sent."""

    id: int
    """The id of the notification."""
    kind: str
    """The kind of the notification, such as `race_result`."""
    channel: Annotated[str, one_of("mail", "push")]
    """How it is sent."""
    email: str | None
    """The e-mail address that it is sent to; null for a push message."""
    created_at: datetime
    """When it was queued."""
    due_at: datetime
    """The earliest time at which it is sent, or tried again."""
    sent_at: datetime | None
    """When it was sent; null if it was not."""
    failed_at: datetime | None
    """When it was given up after its last try; null if it was not."""
    dropped_at: datetime | None
    """When it was decided that it is not sent; null if it was not."""
    dropped_reason: str | None
    """Why it is not sent, such as `switched_off`, `channel_off`, `address_not_verified`, `excluded`, `suspended`,
    `bounced`, `complained`, `expired`, `claimed` or `no_longer_wanted`."""
    bounced_at: datetime | None
    """When its e-mail address was reported as one that takes no mail; null if it was not."""
    complained_at: datetime | None
    """When the recipient reported it as spam; null if they did not."""


_Columns = Annotated[
    JsonValue, WithJsonSchema({"anyOf": [{"type": "object", "additionalProperties": True}, {"type": "null"}]})
]


class MemberAudit(AnswerBody):
    """A change by staff that concerns the member."""

    id: int
    """The id of the audit entry."""
    staff_id: int
    """The user id of the staff member who made the change."""
    action: str
    """What was done: `update_member`, `decide_link`, `issue_code` or `revoke_code`."""
    subject_id: int
    """The id of the changed record: the member, the link request or the code, by `action`."""
    before: _Columns
    """The changed values before; null if there were none."""
    after: _Columns
    """The changed values afterwards."""
    request_id: str
    """The id of the request that made the change. Log entries have it too."""
    created_at: datetime
    """When the change was made."""


class MemberDetails(ChangedMember):
    """A member with all fields. Each list has the last 20 entries, newest first."""

    bio: str | None
    """The member's description of themselves, as plain text; null if there is none."""
    profile_color: str | None
    """The colour of the member's profile as a CSS colour, such as `#D7FF00`; null if there is none."""
    hide_name: bool
    """Whether leaderboards hide the member's name and id."""
    wager_today: Money
    """The amount wagered at the casino today."""
    wager_week: Money
    """The amount wagered at the casino this week."""
    wager_month: Money
    """The amount wagered at the casino this month."""
    counts: MemberCounts
    """How many records there are of each kind."""
    spins: list[MemberSpin]
    """The last spins of the wheel."""
    claims: list[MemberClaim]
    """The last claims of bonus codes."""
    races: list[MemberRace]
    """The races that the member joined last."""
    tickets: list[MemberTicket]
    """The support tickets that the member opened last."""
    rewards: list[Reward]
    """The last rewards granted to the member."""
    links: list[MemberLink]
    """The last requests to link a casino account."""
    notifications: list[MemberNotification]
    """The last mails and push messages to the member. Those sent or dropped 90 days ago are gone."""
    audit: list[MemberAudit]
    """The last changes by staff that concern the member."""

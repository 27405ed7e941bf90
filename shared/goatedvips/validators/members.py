"""Requests and answers about members, as staff see them."""

import re
from datetime import datetime
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BeforeValidator, ConfigDict, Field, JsonValue, StringConstraints, WithJsonSchema, model_validator

from goatedvips.validators.fields import AS_TYPED, CLEAN, LARGEST_ID, AnswerBody, Money, RequestBody

_ID = re.compile(r"[0-9]{1,10}", re.ASCII)
_FLAGS = {"true": True, "false": False}


def _id(value: object) -> object:
    if isinstance(value, str) and not _ID.fullmatch(value):
        raise ValueError("must be a positive integer")
    return value


def _flag(value: object) -> object:
    if isinstance(value, str) and value not in _FLAGS:
        raise ValueError("must be true or false")
    return _FLAGS[value] if isinstance(value, str) else value


type MemberId = Annotated[int | None, Query(ge=1, le=LARGEST_ID), BeforeValidator(_id)]
"""The one member with this id."""

type Prefix = Annotated[str | None, Query(min_length=1, max_length=254), CLEAN]
"""What the username or the e-mail address begins with, ignoring case."""

type Uid = Annotated[str | None, Query(min_length=1, max_length=1000), AS_TYPED]
"""The one member with this id at the casino."""

type Flag = Annotated[bool | None, Query(), BeforeValidator(_flag)]
"""`true` or `false`; absent: both."""

type TierName = Annotated[str | None, Query(min_length=1, max_length=1000), CLEAN]
"""Members whose lifetime wager lies in the tier of this name."""


class ListedMember(AnswerBody):
    """A member in a list."""

    id: int
    """The member's id, as `user_id` elsewhere."""
    username: str
    """Also where members hide it from others."""
    email: str
    """As they gave it."""
    email_verified: bool
    """The e-mail address is proved; not to be confused with `verified`."""
    is_staff: bool
    """May call `/v1/admin`."""
    verified: bool
    """The casino account is linked; says nothing of the e-mail address."""
    uid: str | None
    """The member's id at the casino; null: not linked."""
    tier: str | None
    """By the lifetime wager; null: not even the lowest."""
    total_wager: Money
    """Wagered at the casino since ever."""
    suspended_at: datetime | None
    """Since when the account is closed; null: it is not."""
    excluded_until: datetime | None
    """Self-excluded from play, at least until then; null: not, or permanently."""
    excluded_permanently: bool
    """Self-excluded from play for good."""
    created_at: datetime
    """Since when they are a member."""
    last_active: datetime | None
    """To within a few minutes."""


class ChangedMember(ListedMember):
    """A member as staff left them."""

    suspended_reason: str | None
    """Why the account is closed; in the member's export too."""


class MemberCounts(AnswerBody):
    """How many rows there are of a member's, of which the details show the last ones."""

    spins: int
    """Of the wheel."""
    claims: int
    """Of bonus codes."""
    races: int
    """Taken part in."""
    tickets: int
    """Opened."""
    rewards: int
    """Rows of the ledger."""
    links: int
    """Requests to link a casino account."""


class MemberSpin(AnswerBody):
    """A spin of the wheel."""

    id: int
    """The spin's id."""
    segment_index: int
    """Where it stopped, from 0 on."""
    reward_code: str | None
    """The code that it won; null: nothing."""
    timestamp: datetime
    """When it was spun."""


class MemberClaim(AnswerBody):
    """A claim of a bonus code."""

    id: int
    """The claim's id."""
    code_id: int
    """The code's id."""
    code: str
    """In the spelling it was issued with."""
    value: Money | None
    """Null: not known, of codes that are older than this platform."""
    currency: str
    """Of `value`, by ISO 4217."""
    claimed_at: datetime
    """When it was claimed."""


class MemberRace(AnswerBody):
    """A part in a race."""

    race_id: int
    """The race."""
    title: str
    """The race's."""
    start_date: datetime
    """Inclusive."""
    end_date: datetime
    """Exclusive."""
    joined_at: datetime
    """The first time, however often they joined."""
    total_wager: Money
    """Wagered within the race."""
    rank: int | None
    """1 is the best; null: not ranked yet."""


class MemberTicket(AnswerBody):
    """A support ticket."""

    id: int
    """The ticket's id."""
    subject: str
    """One line for lists."""
    status: str
    """`open`, `in_progress` or `closed`."""
    priority: str
    """`low`, `medium` or `high`."""
    created_at: datetime
    """When it was opened."""
    updated_at: datetime
    """When it last changed."""


class MemberReward(AnswerBody):
    """A row of the ledger."""

    id: int
    """The reward's id."""
    source_type: str
    """What it was granted for, as in `spin` or `code`."""
    source_id: int
    """Which one."""
    amount: Money
    """Negative: taken back."""
    currency: str
    """Of `amount`, by ISO 4217."""
    created_at: datetime
    """When it was granted."""
    fulfilled_at: datetime | None
    """When it was handed over; null: not yet."""


class MemberLink(AnswerBody):
    """A request to link a casino account."""

    id: int
    """The request's id."""
    uid: str
    """The casino account's id, as the member gave it."""
    requested_at: datetime
    """When."""
    decision: str | None
    """`approved` or `refused`; null: pending."""
    reason: str | None
    """Given with the decision."""
    decided_at: datetime | None
    """When; null: pending."""
    decided_by: int | None
    """Which of the staff."""


_Columns = Annotated[
    JsonValue, WithJsonSchema({"anyOf": [{"type": "object", "additionalProperties": True}, {"type": "null"}]})
]


class MemberAudit(AnswerBody):
    """What staff changed of the member."""

    id: int
    """The entry's id."""
    staff_id: int
    """Who."""
    action: str
    """`update_member`; or `decide_link`, `issue_code`, `revoke_code`, whose subject is the request or the code."""
    subject_id: int
    """Of what."""
    before: _Columns
    """What was changed, as it was."""
    after: _Columns
    """What was changed, as it has been since."""
    request_id: str
    """By which request."""
    created_at: datetime
    """When."""


class MemberDetails(ChangedMember):
    """A member whole; of each list the last 20, newest first."""

    bio: str | None
    """What they say of themselves."""
    profile_color: str | None
    """A CSS colour, such as `#D7FF00`."""
    hide_name: bool
    """Leaderboards show them without name and id."""
    wager_today: Money
    """Wagered at the casino today."""
    wager_week: Money
    """Wagered at the casino this week."""
    wager_month: Money
    """Wagered at the casino this month."""
    counts: MemberCounts
    """Of all there are."""
    spins: list[MemberSpin]
    """Of the wheel."""
    claims: list[MemberClaim]
    """Of bonus codes."""
    races: list[MemberRace]
    """Taken part in."""
    tickets: list[MemberTicket]
    """Opened."""
    rewards: list[MemberReward]
    """Rows of the ledger."""
    links: list[MemberLink]
    """Requests to link a casino account."""
    audit: list[MemberAudit]
    """What staff changed."""


_Change = Annotated[bool | None, Field(strict=True)]


class MemberUpdate(RequestBody):
    """What to change of a member, at least one thing of three; what is absent or null stays."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    suspended: _Change = None
    """True closes the account and ends all its sessions, and takes a reason; false opens it again."""
    reason: Annotated[str | None, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), CLEAN] = (
        None
    )
    """Why; for staff, in the audit log too, and in the export of the member whom it concerns."""
    is_admin: _Change = None
    """Whether they are one of the staff; answers call it `is_staff`."""
    email_verified: _Change = None
    """Whether the e-mail address counts as proved."""

    @model_validator(mode="after")
    def _says_what_and_why(self) -> "MemberUpdate":
        if self.suspended is None and self.is_admin is None and self.email_verified is None:
            raise ValueError("must have suspended, is_admin or email_verified")
        if self.suspended and self.reason is None:
            raise ValueError("suspended takes a reason")
        return self


class GrantStaff(RequestBody):
    """Who becomes one of the staff."""

    username: Annotated[str, StringConstraints(min_length=1, max_length=1000), AS_TYPED]
    """In its exact spelling, or else ignoring case."""

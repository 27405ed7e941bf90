"""Requests and answers of the newsletter's routes, and of campaigns."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from goatedvips.validators.fields import CLEAN, LINE, AnswerBody, Email, Moment, RequestBody, one_of


class SubscriptionRequest(RequestBody):
    """A request to send the newsletter to an e-mail address."""

    email: Email
    """The e-mail address. It gets a mail with a link that confirms the subscription, at most once an hour."""
    source: Annotated[str, StringConstraints(max_length=200), CLEAN] | None = None
    """Where the visitor asked for the subscription, such as the name of a page."""


class PendingSubscription(AnswerBody):
    """The answer is the same for every e-mail address, so it does not reveal whether an address is subscribed."""

    status: Literal["pending"] = "pending"
    """The subscription begins when the mailed link is confirmed."""


class ConfirmationRequest(RequestBody):
    """The confirmation of a subscription."""

    token: Annotated[str, StringConstraints(max_length=200), CLEAN]
    """The token in the mailed link, behind `#token=`."""


class ConfirmedSubscription(AnswerBody):
    """A confirmed subscription."""

    status: Literal["subscribed"] = "subscribed"
    """The newsletter is sent from now on."""
    email: str
    """The e-mail address that the token was mailed to."""


def _without_repeats(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("must not have a name twice")
    return names


type Audience = Literal["newsletter", "members"]
"""`newsletter`: all subscribers. `members`: the members who consented to promotional offers."""
type Tiers = Annotated[
    list[Annotated[str, StringConstraints(max_length=100), CLEAN]],
    Field(min_length=1, max_length=100),
    AfterValidator(_without_repeats),
]
"""Names of tiers."""
type Subject = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=150), CLEAN, LINE]
"""The subject of a mail."""
type Markdown = Annotated[str, StringConstraints(min_length=1, max_length=10_000), CLEAN]
"""Text in Markdown (CommonMark). HTML in it is shown as it is written, and of an image only its description is shown.
Links begin with `https:` or `mailto:`."""
type PerDay = Annotated[int, Field(strict=True, ge=1, le=10_000_000)]
"""The greatest number of recipients in 24 hours."""
type CampaignStatus = Literal["draft", "scheduled", "sending", "paused", "sent", "cancelled"]
"""Where a campaign stands."""


class CampaignRequest(RequestBody):
    """A campaign to be created, as a draft."""

    audience: Audience
    """Who gets it: all subscribers of the newsletter, or the members who consented to promotional offers."""
    tiers: Tiers | None = None
    """Only members of these tiers get it; null or absent: members of all tiers, and those without one. It is for the
    audience `members` only."""
    subject: Subject
    """The subject of the mail."""
    body: Markdown
    """The text of the mail in Markdown (CommonMark). HTML in it is shown as it is written, and of an image only its
    description is shown. Links begin with `https:` or `mailto:`; others are shown as they are written."""
    send_at: Moment | None = None
    """When the mail begins to be sent; null or absent: not decided yet."""
    per_day: PerDay | None = None
    """How many recipients are queued in 24 hours at most; null or absent: all at once."""


class CampaignUpdate(RequestBody):
    """Changes to a campaign: at least one field. An absent field stays as it is."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    audience: Audience | None = None
    """Who gets it. Null changes nothing."""
    tiers: Tiers | None = None
    """Only members of these tiers get it. Null removes the condition."""
    subject: Subject | None = None
    """The subject of the mail. Null changes nothing."""
    body: Markdown | None = None
    """The text of the mail in Markdown. Null changes nothing."""
    send_at: Moment | None = None
    """When the mail begins to be sent. Null removes the time, which a scheduled campaign needs."""
    per_day: PerDay | None = None
    """How many recipients are queued in 24 hours at most. Null removes the limit."""
    status: Literal["draft", "scheduled", "sending", "paused", "cancelled"] | None = None
    """`scheduled` lets a draft begin at `send_at`, and `draft` takes that back. `paused` stops a campaign that is being
    sent, and `sending` resumes it. `cancelled` ends it for good. Null changes nothing."""

    @model_validator(mode="after")
    def _has_a_change(self) -> "CampaignUpdate":
        if not self.model_fields_set:
            raise ValueError("must have at least one field")
        return self

    @property
    def changes(self) -> dict[str, Any]:
        """The new values by field; what is to be removed is None."""
        given = self.model_dump(exclude_unset=True)
        removable = {"tiers", "send_at", "per_day"}
        return {name: value for name, value in given.items() if value is not None or name in removable}


class ListedCampaign(AnswerBody):
    """A campaign in a list."""

    id: int
    """The id of the campaign."""
    audience: Audience
    """Who gets it: all subscribers of the newsletter, or the members who consented to promotional offers."""
    tiers: list[str] | None
    """Only members of these tiers get it; null: there is no such condition."""
    subject: str
    """The subject of the mail."""
    send_at: datetime | None
    """When the mail begins to be sent; null: not decided yet."""
    per_day: int | None
    """How many recipients are queued in 24 hours at most; null: all at once."""
    status: CampaignStatus
    """`draft`, `scheduled`, `sending`, `paused`, `sent` or `cancelled`."""
    paused_reason: Literal["staff", "overdue", "bounces", "complaints"] | None
    """Why it is paused: by `staff`; `overdue`, because it did not begin within an hour of `send_at`; or because of too
    many `bounces` or `complaints`. Null if it is not paused."""
    created_at: datetime
    """When it was created."""
    created_by: int | None
    """The user id of the staff member who created it; null if that account is gone."""
    updated_at: datetime
    """When somebody last changed it, or it paused by itself."""
    ended_at: datetime | None
    """When the last mail was sent, or the campaign was cancelled; null: not yet."""


class Campaign(ListedCampaign):
    """A campaign with its text."""

    body: str
    """The text of the mail in Markdown."""
    html: str
    """The text as HTML, as it is sent. Only harmless elements are in it."""
    plain_text: str
    """The text as plain text, as it is sent for mail programs without HTML."""


class CampaignCounts(AnswerBody):
    """The numbers of a campaign's mails. Opens and clicks are not counted."""

    queued: int
    """Mails queued so far, whatever became of them."""
    sent: int
    """Mails that Amazon SES took."""
    bounced: int
    """Mails whose recipient's server refused them for good."""
    complained: int
    """Mails that their recipient marked as spam."""
    unsubscribed: int
    """Mails whose recipient unsubscribed afterwards."""
    dropped: int
    """Mails that were not sent, because the recipient no longer wanted them, or the campaign was cancelled."""
    failed: int
    """Mails that could not be sent after all tries."""


class LeftOut(AnswerBody):
    """A part of the audience that does not get a campaign."""

    reason: str
    """Why: `unsubscribed`, `unconfirmed`, `switched_off`, `channel_off`, `address_not_verified`, `unreachable`,
    `excluded`, `suspended`, `bounced` or `complained`."""
    count: int
    """How many people that is."""


class CampaignPreview(AnswerBody):
    """Who will get a campaign that has not begun, as things are now."""

    recipients: int
    """How many people will get it."""
    left_out: list[LeftOut]
    """How many people of the audience will not get it, by the reason."""
    ends_at: datetime | None
    """When the last mail will leave at the earliest; null without a time to begin."""


class CampaignDetails(Campaign):
    """A campaign with its counts, or a preview."""

    counts: CampaignCounts
    """The numbers of its mails."""
    preview: CampaignPreview | None
    """Who will get it; null once the first recipients are queued, or if it is cancelled."""


class CampaignTest(AnswerBody):
    """A campaign is on its way to the caller."""

    email: str
    """The e-mail address that it is mailed to."""


class Subscription(AnswerBody):
    """A subscription of the newsletter."""

    id: int
    """The id of the subscription."""
    email: str
    """The e-mail address, as it was first given."""
    state: Annotated[str, one_of("subscribed", "unsubscribed", "pending")]
    """Whether the newsletter is sent to the address. A pending subscription waits for the use of the mailed link."""
    source: str | None
    """Where the visitor asked for the subscription, as the front end named it."""
    subscribed_at: datetime
    """When the subscription began; while it is pending, when it was asked for."""
    confirmed_at: datetime | None
    """When the mailed link was used. It is null for pending and for adopted subscriptions."""
    consent_network: str | None
    """The client network that the confirmation came from: an IPv4 address, or the /64 network of an IPv6 address."""
    unsubscribed_at: datetime | None
    """When the subscription ended."""

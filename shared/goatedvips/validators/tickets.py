"""Request and answer bodies of support tickets."""

from datetime import datetime
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from goatedvips.validators.fields import CLEAN, LARGEST_ID, LINE, AnswerBody, RequestBody, one_of, plain_id
from goatedvips.validators.pagination import Page

type TicketStatus = Annotated[str, one_of("open", "in_progress", "closed")]
"""The status of a ticket."""
type TicketPriority = Annotated[str, one_of("low", "medium", "high")]
"""The priority of a ticket."""


def _assignee(value: object) -> object:
    return 0 if value == "none" else plain_id(value)


type StatusFilter = Annotated[Literal["open", "in_progress", "closed"] | None, Query()]
"""Finds tickets with this status; absent: all that are not closed, and with `q` closed ones too."""

type PriorityFilter = Annotated[Literal["low", "medium", "high"] | None, Query()]
"""Finds tickets with this priority."""

type AssigneeFilter = Annotated[
    int | None,
    Query(le=LARGEST_ID),
    BeforeValidator(_assignee),
    WithJsonSchema({"type": "string", "pattern": "^([1-9][0-9]{0,9}|none)$"}),
]
"""Finds tickets that the staff member with this user id takes care of; `none`: that nobody takes care of."""

type Words = Annotated[str | None, Query(min_length=1, max_length=200), CLEAN]
"""Finds tickets with these words in the subject, the description or a message; or with this owner's username."""


class TicketRequest(RequestBody):
    """A support ticket to be opened."""

    subject: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=150), CLEAN, LINE]
    """The subject, as lists show it."""
    description: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), CLEAN]
    """What the member needs help with, as plain text."""
    priority: Literal["low", "medium", "high"] = "medium"
    """How urgent the ticket is for the member."""


class MessageRequest(RequestBody):
    """A message on a ticket."""

    message: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), CLEAN]
    """The message, as plain text."""
    internal: Annotated[bool, Field(strict=True)] = False
    """Whether the message is a note that only staff see. Only staff may write one."""
    after: Annotated[int | None, Field(strict=True, ge=0, le=LARGEST_ID)] = None
    """The id of the last message that the author has seen, 0 if none: if there is a newer one, nothing is written."""


class TriageRequest(RequestBody):
    """Changes of a ticket by staff. A field that is absent or null does not change, except `assignee_id`."""

    status: Literal["open", "in_progress", "closed"] | None = None
    """The new status of the ticket."""
    priority: Literal["low", "medium", "high"] | None = None
    """The new priority of the ticket."""
    assignee_id: Annotated[int | None, Field(strict=True, ge=1, le=LARGEST_ID)] = None
    """The user id of the staff member who takes care of the ticket; null: nobody."""


class Ticket(AnswerBody):
    """A support ticket."""

    id: int
    """The id of the ticket."""
    user_id: int | None
    """The id of the member who opened the ticket. It is null if that is unknown, as for some adopted tickets."""
    subject: str
    """The subject, as lists show it."""
    description: str
    """What the member needs help with, as plain text. Messages follow it."""
    status: TicketStatus
    """The status of the ticket: `open`, `in_progress` or `closed`."""
    priority: TicketPriority
    """The priority of the ticket: `low`, `medium` or `high`."""
    created_at: datetime
    """When the ticket was opened."""
    updated_at: datetime
    """When the ticket last changed."""


class TicketMessage(AnswerBody):
    """A message on a ticket."""

    id: int
    """The id of the message."""
    author: str | None
    """The name of the author. It is null for members if staff wrote the message."""
    is_staff_reply: bool
    """Whether staff wrote the message."""
    internal: bool
    """Whether the message is an internal note. Members never get internal notes."""
    message: str
    """The message, as plain text."""
    created_at: datetime
    """When the message was written."""


class TicketWithMessages(Ticket):
    """A ticket with a page of its messages, oldest first."""

    messages: Page[TicketMessage]
    """A page of the messages. `limit` and `cursor` select it."""


class QueuedTicket(Ticket):
    """A ticket as staff see it."""

    username: str | None
    """The username of the member who opened the ticket; null if that is unknown."""
    assignee_id: int | None
    """The user id of the staff member who takes care of the ticket; null if nobody does."""
    assignee: str | None
    """The username of the staff member who takes care of the ticket; null if nobody does."""
    waiting_since: datetime | None
    """When the member wrote what staff have not answered yet; null if staff wrote last, or the ticket is closed."""

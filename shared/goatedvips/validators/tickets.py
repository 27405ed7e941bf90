"""Request and answer bodies of support tickets."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import StringConstraints

from goatedvips.validators.fields import CLEAN, LINE, AnswerBody, RequestBody, one_of
from goatedvips.validators.pagination import Page

type TicketStatus = Annotated[str, one_of("open", "in_progress", "closed")]
"""The status of a ticket."""
type TicketPriority = Annotated[str, one_of("low", "medium", "high")]
"""The priority of a ticket."""


class TicketRequest(RequestBody):
    """A support ticket to be opened."""

    subject: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=150), CLEAN, LINE]
    """The subject, as lists show it."""
    description: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), CLEAN]
    """What the member needs help with, as plain text."""
    priority: Literal["low", "medium", "high"] = "medium"
    """How urgent the ticket is for the member."""


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

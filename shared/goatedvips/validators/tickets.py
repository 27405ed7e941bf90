"""Requests and answers about support tickets."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import StringConstraints

from goatedvips.validators.fields import CLEAN, AnswerBody, RequestBody, one_of
from goatedvips.validators.pagination import Page

type TicketStatus = Annotated[str, one_of("open", "in_progress", "closed")]
"""The status of a ticket."""
type TicketPriority = Annotated[str, one_of("low", "medium", "high")]
"""The priority of a ticket."""


class TicketRequest(RequestBody):
    """What a member asks support for."""

    subject: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=150), CLEAN]
    """One line for lists."""
    description: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), CLEAN]
    """Plain text."""
    priority: Literal["low", "medium", "high"] = "medium"
    """How urgent the member finds it."""


class Ticket(AnswerBody):
    """A ticket; `status` is `open`, `in_progress` or `closed`."""

    id: int
    """The ticket's id."""
    user_id: int | None
    """Its owner."""
    subject: str
    """One line for lists."""
    description: str
    """What it was opened with; messages come after it."""
    status: TicketStatus
    """`open`, `in_progress` or `closed`."""
    priority: TicketPriority
    """`low`, `medium` or `high`."""
    created_at: datetime
    """When it was opened."""
    updated_at: datetime
    """When it last changed."""


class TicketMessage(AnswerBody):
    """What was written on a ticket."""

    id: int
    """The message's id."""
    author: str | None
    """A username; null for a staff reply as members see it."""
    is_staff_reply: bool
    """Written by staff, not by the owner."""
    internal: bool
    """A note among staff; members never get one."""
    message: str
    """Plain text."""
    created_at: datetime
    """When it was written."""


class TicketWithMessages(Ticket):
    """A ticket with a page of its messages, oldest first."""

    messages: Page[TicketMessage]
    """`limit` and `cursor` page through these."""

"""Requests and answers about support tickets."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import StringConstraints

from goatedvips.validators.fields import CLEAN, AnswerBody, RequestBody
from goatedvips.validators.pages import Page


class TicketRequest(RequestBody):
    """What a member asks support for."""

    subject: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=150), CLEAN]
    description: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), CLEAN]
    priority: Literal["low", "medium", "high"] = "medium"


class Ticket(AnswerBody):
    """A ticket; `status` is `open`, `in_progress` or `closed`."""

    id: int
    user_id: int | None
    """Its owner."""
    subject: str
    description: str
    status: str
    priority: str
    created_at: datetime
    updated_at: datetime


class TicketMessage(AnswerBody):
    """What was written on a ticket."""

    id: int
    author: str | None
    """A username; null for a staff reply as members see it."""
    is_staff_reply: bool
    internal: bool
    """A note among staff; members never get one."""
    message: str
    created_at: datetime


class TicketWithMessages(Ticket):
    """A ticket with a page of its messages, oldest first."""

    messages: Page[TicketMessage]

"""Requests and answers of the newsletter."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from goatedvips.validators.fields import CLEAN, AnswerBody, Email, RequestBody


class SubscriptionRequest(RequestBody):
    """An address that may want the newsletter."""

    email: Email
    source: Annotated[str, StringConstraints(max_length=200), CLEAN] | None = None
    """Where the subscription was asked for, such as a page's name."""


class PendingSubscription(AnswerBody):
    """The same for every address: whether one has the newsletter already is nobody else's business."""

    status: Literal["pending"] = "pending"


class ConfirmationRequest(RequestBody):
    """The token out of a mailed link."""

    token: Annotated[str, StringConstraints(max_length=200), CLEAN]


class ConfirmedSubscription(AnswerBody):
    """A subscription in force."""

    status: Literal["subscribed"] = "subscribed"
    email: str

"""Requests and answers of the newsletter."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from goatedvips.validators.fields import CLEAN, AnswerBody, Email, RequestBody


class SubscriptionRequest(RequestBody):
    """An address that may want the newsletter."""

    email: Email
    """A link to confirm is mailed there, at most once an hour."""
    source: Annotated[str, StringConstraints(max_length=200), CLEAN] | None = None
    """Where the subscription was asked for, such as a page's name."""


class PendingSubscription(AnswerBody):
    """The same for every address: whether one has the newsletter already is nobody else's business."""

    status: Literal["pending"] = "pending"
    """In force once the mailed link is followed."""


class ConfirmationRequest(RequestBody):
    """The token out of a mailed link."""

    token: Annotated[str, StringConstraints(max_length=200), CLEAN]
    """What stands behind `#token=` in the mailed link."""


class ConfirmedSubscription(AnswerBody):
    """A subscription in force."""

    status: Literal["subscribed"] = "subscribed"
    """In force from now on."""
    email: str
    """The address that the token was mailed to."""

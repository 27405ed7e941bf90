"""Requests and answers of the newsletter's routes."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from goatedvips.validators.fields import CLEAN, AnswerBody, Email, RequestBody


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

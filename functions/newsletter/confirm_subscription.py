"""POST /v1/newsletter/confirmations: the owner of an e-mail address confirms its subscription by the mailed token."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.newsletter import subscriptions
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.newsletter import ConfirmationRequest, ConfirmedSubscription

api = HttpApi("anyone")


@api.post("/v1/newsletter/confirmations")
def confirm_subscription(body: ConfirmationRequest) -> ConfirmedSubscription:
    """The token is in the mailed link, behind `#token=`. It works once."""
    with transaction() as connection:
        email = subscriptions.confirm(connection, body.token, client_network=api.client_network, now=utc_now())
    return ConfirmedSubscription(email=email)


handler = lambda_handler(api)

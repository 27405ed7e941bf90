"""POST /v1/newsletter/subscriptions: anyone asks for the newsletter to be sent to an e-mail address."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.newsletter import subscriptions
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.newsletter import PendingSubscription, SubscriptionRequest

api = HttpApi("anyone")


@api.post("/v1/newsletter/subscriptions", status_code=202)
def subscribe(body: SubscriptionRequest) -> PendingSubscription:
    """The response is the same whether or not the address is subscribed.

    The subscription counts once the link in the mail is used.
    """
    with transaction() as connection:
        subscriptions.subscribe(connection, body.email, body.source, api.client_network, now=utc_now())
    return PendingSubscription()


handler = lambda_handler(api)

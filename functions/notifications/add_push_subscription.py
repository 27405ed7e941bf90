"""POST /v1/me/push-subscriptions: a member wants push messages in a browser."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.notifications.pushes import subscriptions
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.notifications import PushSubscription, PushSubscriptionRequest

api = HttpApi("member")


@api.post("/v1/me/push-subscriptions", status_code=201)
def add_push_subscription(body: PushSubscriptionRequest) -> PushSubscription:
    """An endpoint that was added before moves to the member who adds it now. A member has at most 20.

    Each message is a JSON document that browsers with Declarative Web Push show by themselves; a service worker shows
    the `title` and `body` of its `notification`, with the `tag`, and opens `navigate`.
    """
    given = {"endpoint": body.endpoint, "p256dh": body.keys.p256dh, "auth": body.keys.auth}
    with transaction() as connection:
        added = subscriptions.add(connection, api.caller, **given, now=utc_now())
    return PushSubscription.model_validate(added)


handler = lambda_handler(api)

"""DELETE /v1/me/push-subscriptions: a member wants no more push messages in a browser."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.notifications.pushes import subscriptions
from goatedvips.http import HttpApi, Response, lambda_handler
from goatedvips.validators.notifications import PushSubscriptionRemoval

api = HttpApi("member")


@api.delete("/v1/me/push-subscriptions", status_code=204)
def remove_push_subscription(body: PushSubscriptionRemoval) -> Response[None]:
    """An endpoint that is no push subscription of the member is ignored."""
    with transaction() as connection:
        subscriptions.remove(connection, api.caller, body.endpoint, now=utc_now())
    return Response(204)


handler = lambda_handler(api)

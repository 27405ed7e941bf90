"""DELETE /v1/admin/payouts/{id}: staff withdraw a payout that is not paid."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.rewards import payments
from goatedvips.http import HttpApi, Response, lambda_handler
from goatedvips.validators.fields import PathId

api = HttpApi("staff")


@api.delete("/v1/admin/payouts/<id>", status_code=204)
def withdraw_payout(id: PathId) -> Response[None]:  # noqa: A002
    """Its rewards are open again."""
    with transaction() as connection:
        payments.withdraw(connection, api.caller, id, now=utc_now())
    return Response(204)


handler = lambda_handler(api)
